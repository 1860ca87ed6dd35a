import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, rooms: Array, chosen: String, loading: Boolean },
  emits: ["choose"],
  template: `
    <nav class="ze-outside-rooms" :aria-label="t['outside.rooms']" data-testid="outside-rooms">
      <p v-if="loading" class="ze-faint"><span class="ze-spin" aria-hidden="true"></span> {{ t['state.loading'] }}</p>
      <p v-else-if="!rooms.length" class="ze-empty is-slim"><ze-sign name="door"/>{{ t['outside.none'] }}</p>
      <button v-for="room in rooms" :key="room.id" class="ze-button" :aria-pressed="room.id === chosen" :data-testid="'outside-room-' + room.id" @click="$emit('choose', room.id)">
        <span><ze-sign :name="room.sealed ? 'lock' : 'unlock'"/> {{ room.name }}</span><b v-if="room.calls" class="ze-chip is-warning"><ze-sign name="bell"/>{{ room.calls }}</b></button>
    </nav>`,
};
