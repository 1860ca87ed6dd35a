// The interval of the statistics, and the figures on top.
import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, first: String, last: String, room: String, rooms: Array, zone: String, loading: Boolean, failed: String, cards: Array, incomplete: Boolean },
  emits: ["show", "csv"],
  data: () => ({ form: { first: "", last: "", room: "" } }),
  watch: {
    first() {
      this.take();
    },
  },
  mounted() {
    this.take();
  },
  methods: {
    take() {
      this.form = { first: this.first, last: this.last, room: this.room };
    },
  },
  template: `
    <div class="ze-st-head" data-testid="statistics">
      <form class="ze-panel ze-st-form" @submit.prevent="$emit('show', { ...form })"><h1>{{ t['statistics.heading'] }}</h1>
        <label class="ze-field">{{ t['statistics.from'] }}<input v-model="form.first" type="date" required data-testid="statistics-first"></label>
        <label class="ze-field">{{ t['statistics.to'] }}<input v-model="form.last" type="date" required data-testid="statistics-last"></label>
        <label class="ze-field">{{ t['statistics.room'] }}<select v-model="form.room"><option value="">{{ t['statistics.all_rooms'] }}</option><option v-for="row in rooms" :key="row.id" :value="row.id">{{ row.name }}</option></select></label>
        <button class="ze-button is-main" type="submit" :disabled="loading" data-testid="statistics-show"><ze-sign name="chart"/>{{ t['statistics.show'] }}</button>
        <button class="ze-button" type="button" :disabled="loading || !cards.length" data-testid="statistics-csv" @click="$emit('csv')"><ze-sign name="report"/>{{ t['statistics.csv'] }}</button></form>
      <p v-if="failed" class="ze-banner is-problem" role="alert" data-testid="statistics-failed"><ze-sign name="warning"/>{{ t['statistics.failed'] }}: {{ failed }}</p>
      <p v-else-if="loading" class="ze-empty is-slim" role="status"><span class="ze-spin" aria-hidden="true"></span>{{ t['statistics.loading'] }}</p>
      <p v-if="incomplete" class="ze-banner is-problem" role="status"><ze-sign name="warning"/>{{ t['statistics.incomplete'] }}</p>
      <div v-if="cards.length" class="ze-st-cards"><div v-for="card in cards" :key="card.id" class="ze-panel ze-st-card" :data-testid="'card-' + card.id"><span>{{ card.label }}</span><b>{{ card.value }}</b><small>{{ card.more }}</small></div></div>
    </div>`,
};
