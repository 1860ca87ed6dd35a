import { Modal, Sign, Tracks, record_sign, seal_sign } from "zeroentry-console";

const RETRY_MS = 3000;

// A live picture that never blinks: a new address is fetched behind the old picture and then takes its place.
const Picture = {
  props: { src: String, still: String, label: String },
  emits: ["failed"],
  data: () => ({ front: "", back: "", beat: 0, timer: 0, wait: 0 }),
  created() {
    this.begin();
  },
  watch: {
    src() {
      this.begin();
    },
    still() {
      if (!this.src) this.begin();
    },
  },
  beforeUnmount() {
    clearInterval(this.timer);
    clearTimeout(this.wait);
    this.front = this.back = "";
  },
  methods: {
    begin() {
      clearInterval(this.timer);
      if (this.src) {
        this.fetch(this.src);
      } else if (this.still) {
        const next = () => this.fetch(this.still + "&at=" + ++this.beat);
        next();
        this.timer = setInterval(next, 1000);
      }
    },
    fetch(url) {
      if (!this.front) this.front = url;
      else this.back = url;
    },
    arrived() {
      if (this.back) this.front = this.back;
      this.back = "";
    },
    failed() {
      this.$emit("failed");
      clearTimeout(this.wait);
      this.wait = setTimeout(() => {
        this.front = this.back = "";
        this.$nextTick(this.begin);
      }, RETRY_MS);
    },
  },
  template: `
    <img v-if="front" class="ze-picture" :src="front" :alt="label" draggable="false" @error="failed">
    <img v-if="back" class="ze-picture is-behind" :src="back" alt="" @load="arrived" @error="back = ''">`,
};

const Tile = {
  components: { ZeSign: Sign, ZePicture: Picture },
  props: { t: Object, room: Object },
  emits: ["open", "failed"],
  methods: { seal_sign, record_sign },
  computed: {
    camera() {
      return this.room.cameras[0];
    },
    camera_sign() {
      return { live: "camera", frozen: "frozen", offline: "camera_off" }[this.camera?.state] || "clock";
    },
    dark_sign() {
      return this.room.picture === "denied" ? "eye_off" : this.camera_sign;
    },
    count_sign() {
      return { ok: "check", over: "alarm", under: "minus", unseen: "eye_off" }[this.room.count_state] || "group";
    },
  },
  template: `
    <article class="ze-tile" :class="[room.alarm ? 'has-' + room.alarm : '', { 'is-new': room.alarm_new }]" :data-testid="'room-' + room.id"
             :data-alarm="room.alarm || 'none'" :data-seal="room.seal">
      <button class="ze-tile-view" :aria-label="t['room.open'] + ' ' + room.name" @click="$emit('open', room.id)">
        <ze-picture v-if="room.picture === 'live' && (camera.src || camera.still)" :src="camera.src" :still="camera.still" :label="room.name" @failed="$emit('failed', room.id)"/>
        <span v-else class="ze-tile-dark"><ze-sign :name="dark_sign"/>{{ room.picture === 'live' ? t['room.no_picture'] : room.dark_label }}</span>
        <span v-if="room.alarm" class="ze-tile-alarm" :class="'is-' + room.alarm" :data-testid="'room-alarm-' + room.id"><ze-sign :name="room.alarm"/>{{ room.alarm_label }}</span>
        <span v-if="room.recording" class="ze-rec ze-tile-rec" :class="'is-' + room.recording.state" :data-testid="'rec-' + room.id" :data-state="room.recording.state"><ze-sign :name="record_sign(room.recording.state)"/>{{ room.recording.label }}<i v-if="room.recording.share">{{ room.recording.share }}</i></span>
        <span v-if="room.node" class="ze-tile-node"><ze-sign name="link_off"/>{{ room.node }}</span>
        <span class="ze-stale-mark">{{ t['state.stale'] }}</span>
      </button>
      <div class="ze-tile-foot">
        <div class="ze-tile-name"><h3>{{ room.name }}</h3>
          <p class="ze-tile-session" :title="room.session">{{ room.session || room.kind_label }}</p></div>
        <div class="ze-count" :class="'is-' + room.count_state" :data-testid="'count-' + room.id" :title="room.count_label">
          <b><span data-testid="count-value">{{ room.count }}</span><template v-if="room.admitted"><i>/</i>{{ room.admitted }}</template></b>
          <small><ze-sign :name="count_sign"/>{{ room.count_label }}</small></div>
      </div>
      <ul class="ze-tile-states">
        <li :class="'is-seal-' + room.seal"><ze-sign :name="seal_sign(room.seal)"/>{{ room.pending ? t['room.seal_pending'] : room.seal_label }}<span v-if="room.seal === 'sealed' && room.sealed_at">{{ room.sealed_at }}</span></li>
        <li v-if="camera" :class="'is-camera-' + camera.state"><ze-sign :name="camera_sign"/>{{ camera.state_label }}</li>
        <li v-if="camera" :class="'is-sound-' + camera.sound"><ze-sign :name="camera.sound === 'live' ? 'sound' : 'sound_off'"/>
          <template v-if="camera.level !== null"><span class="ze-meter" :aria-label="camera.sound_label"><i v-for="n in 5" :key="n" :class="{ lit: n <= camera.level }"></i></span></template>
          <template v-else>{{ camera.sound_label }}</template></li>
      </ul>
    </article>`,
};

export default {
  components: { ZeTile: Tile, ZeModal: Modal, ZeSign: Sign, ZePicture: Picture, ZeTracks: Tracks },
  props: { t: Object, rooms: Array, loading: Boolean, tablets: Boolean, live: Boolean, recordings: Boolean, zones: Boolean },
  emits: ["failed"],
  data: () => ({ opened: null }),
  methods: { seal_sign },
  computed: {
    big() {
      return this.rooms.find((room) => room.id === this.opened) || null;
    },
  },
  template: `
    <section class="ze-rooms" :aria-label="t['room.heading']" data-testid="rooms">
      <template v-if="loading"><div class="ze-tile is-bones" v-for="n in 3" :key="n" aria-hidden="true"><div class="ze-tile-view"></div><div class="ze-bone"></div><div class="ze-bone is-short"></div></div></template>
      <p v-else-if="!rooms.length" class="ze-empty" data-testid="rooms-empty"><ze-sign name="grid"/>{{ t['state.empty_rooms'] }}</p>
      <ze-tile v-for="room in rooms" :key="room.id" :t="t" :room="room" @open="opened = $event" @failed="$emit('failed', $event)"/>
      <ze-modal :open="!!big" wide :label="big ? big.name : ''" testid="room-dialog" @close="opened = null">
        <template v-if="big">
          <header class="ze-modal-head"><h2>{{ big.name }}</h2>
            <span class="ze-chip" :class="'is-seal-' + big.seal"><ze-sign :name="seal_sign(big.seal)"/>{{ big.seal_label }}</span>
            <button class="ze-button is-quiet is-square" :aria-label="t['room.close']" data-testid="room-close" @click="opened = null"><ze-sign name="cross"/></button></header>
          <div class="ze-room-grid">
            <figure v-for="camera in big.cameras" :key="camera.id" class="ze-room-picture">
              <ze-picture v-if="big.picture === 'live' && (camera.src || camera.still)" :src="camera.src" :still="camera.still" :label="camera.name"/>
              <span v-else class="ze-tile-dark"><ze-sign name="camera_off"/>{{ big.dark_label }}</span>
              <figcaption>{{ camera.name }} · {{ camera.state_label }} · {{ camera.sound_label }}</figcaption></figure>
          </div>
          <ul v-if="live || recordings" class="ze-room-links"><li v-for="camera in big.cameras" :key="camera.id"><b>{{ camera.name }}</b>
            <a v-if="live && big.picture !== 'denied'" class="ze-button is-small" :href="'/watch/' + camera.id + '/live'" target="_blank" rel="noopener noreferrer" :data-testid="'live-' + camera.id"><ze-sign name="camera"/>{{ t['clip.live'] }}<span class="ze-hidden">{{ camera.name }} ({{ t['clip.new_tab'] }})</span></a>
            <a v-if="recordings" class="ze-button is-small" :href="'/watch/' + camera.id + '/recordings'" target="_blank" rel="noopener noreferrer" :data-testid="'recordings-' + camera.id"><ze-sign name="clock"/>{{ t['clip.recordings'] }}<span class="ze-hidden">{{ camera.name }} ({{ t['clip.new_tab'] }})</span></a>
            <a v-if="zones && big.picture !== 'denied'" class="ze-button is-small" :href="'/watch/' + camera.id + '/zones'" target="_blank" rel="noopener noreferrer" :data-testid="'zones-' + camera.id"><ze-sign name="grid"/>{{ t['clip.zones'] }}<span class="ze-hidden">{{ camera.name }} ({{ t['clip.new_tab'] }})</span></a></li></ul>
          <p class="ze-room-facts"><b>{{ big.session }}</b>
            <span>{{ big.count }}<template v-if="big.admitted"> / {{ big.admitted }}</template> {{ t['room.people'] }} · {{ big.count_label }}</span>
            <span>{{ t['room.observed'] }} {{ big.observed }}</span>
            <span v-if="big.clock" data-testid="room-clock" :data-state="big.clock.state">{{ t['track.clock'] }} <b :class="{ 'is-doubtful': !big.clock.good }">{{ big.clock.label }}</b> {{ big.clock.offset }}</span>
            <span v-if="big.key" data-testid="room-key">{{ t['track.key'] }} <b :class="{ 'is-doubtful': !big.key.good }">{{ big.key.label }}</b></span>
            <a v-if="tablets && big.kind === 'evaluation'" class="ze-button is-small" :href="'/tablet/' + big.id" target="_blank"><ze-sign name="tablet"/>{{ t['room.tablet'] }}</a></p>
          <ze-tracks v-if="big.tracks.length" :t="t" :tracks="big.tracks"/>
        </template>
      </ze-modal>
    </section>`,
};
