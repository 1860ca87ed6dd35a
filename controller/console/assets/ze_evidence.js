// The form of the search and its results. Times in the form are the site's; the server reads them.
import { Sign } from "zeroentry-console";

const EMPTY = () => ({ text: "", kind: [], room: "", track: "", rule: "", severity: "", handling: "", disposition: "", session: "", from: "", to: "", shadow: false });
const SEVERITIES = ["alarm", "warning", "notice"];
const HANDLINGS = ["new", "acknowledged", "assigned", "handling", "resolved", "closed"];
const DISPOSITIONS = ["violation", "permitted", "false", "device", "test"];

export default {
  components: { ZeSign: Sign },
  props: { t: Object, rows: Array, more: Boolean, searching: Boolean, failed: String, rooms: Array, kinds: Array, rules: Array, tracks: Array, zone: String, initial: String },
  emits: ["search", "more", "show"],
  data: () => ({ form: EMPTY(), SEVERITIES, HANDLINGS, DISPOSITIONS }),
  computed: {
    cameras() {
      return this.tracks.filter((row) => !this.form.room || row.room === this.form.room);
    },
  },
  mounted() {
    if (this.initial) this.form.text = this.initial;
  },
  methods: {
    go() {
      this.$emit("search", { ...this.form });
    },
    clear() {
      this.form = EMPTY();
      this.go();
    },
    toggle(kind) {
      const at = this.form.kind.indexOf(kind);
      if (at < 0) this.form.kind.push(kind);
      else this.form.kind.splice(at, 1);
      this.go();
    },
  },
  template: `
    <section class="ze-panel ze-ev-search" :aria-label="t['evidence.heading']" data-testid="evidence-search">
      <form class="ze-ev-form" role="search" @submit.prevent="go">
        <h1 class="ze-ev-title">{{ t['evidence.heading'] }}</h1>
        <div class="ze-ev-line"><label class="ze-field is-grow"><span class="ze-hidden">{{ t['evidence.text'] }}</span>
            <input v-model="form.text" type="search" maxlength="100" :placeholder="t['evidence.text_hint']" data-testid="evidence-text"></label>
          <button class="ze-button is-main" type="submit" data-testid="evidence-go"><ze-sign name="search"/>{{ t['evidence.search'] }}</button></div>
        <div class="ze-choices ze-ev-kinds" role="group" :aria-label="t['evidence.kind']">
          <button v-for="kind in kinds" :key="kind.id" type="button" class="ze-button is-small" :class="{ 'is-on': form.kind.includes(kind.id) }" :aria-pressed="form.kind.includes(kind.id)" :data-testid="'kind-' + kind.id" @click="toggle(kind.id)">{{ kind.name }}</button></div>
        <details class="ze-ev-more"><summary>{{ t['evidence.more_filters'] }}</summary>
          <div class="ze-ev-fields">
            <label class="ze-field">{{ t['evidence.room'] }}<select v-model="form.room" data-testid="evidence-room"><option value="">{{ t['evidence.any'] }}</option><option v-for="row in rooms" :key="row.id" :value="row.id">{{ row.name }}</option></select></label>
            <label class="ze-field">{{ t['evidence.track'] }}<select v-model="form.track"><option value="">{{ t['evidence.any'] }}</option><option v-for="row in cameras" :key="row.id" :value="row.id">{{ row.name }}</option></select></label>
            <label class="ze-field">{{ t['evidence.rule'] }}<select v-model="form.rule"><option value="">{{ t['evidence.any'] }}</option><option v-for="row in rules" :key="row.id" :value="row.id">{{ row.name }}</option></select></label>
            <label class="ze-field">{{ t['evidence.severity'] }}<select v-model="form.severity"><option value="">{{ t['evidence.any'] }}</option><option v-for="key in SEVERITIES" :key="key" :value="key">{{ t['severity.' + key] }}</option></select></label>
            <label class="ze-field">{{ t['evidence.handling'] }}<select v-model="form.handling"><option value="">{{ t['evidence.any'] }}</option><option v-for="key in HANDLINGS" :key="key" :value="key">{{ t['handling.' + key] }}</option></select></label>
            <label class="ze-field">{{ t['evidence.disposition'] }}<select v-model="form.disposition"><option value="">{{ t['evidence.any'] }}</option><option v-for="key in DISPOSITIONS" :key="key" :value="key">{{ t['disposition.' + key] }}</option></select></label>
            <label class="ze-field">{{ t['evidence.from'] }}<input v-model="form.from" type="datetime-local"></label>
            <label class="ze-field">{{ t['evidence.to'] }}<input v-model="form.to" type="datetime-local"></label>
            <label class="ze-field">{{ t['evidence.session'] }}<input v-model="form.session" maxlength="40" pattern="[a-z0-9-]*"></label>
            <label class="ze-ev-check"><input v-model="form.shadow" type="checkbox">{{ t['evidence.shadow'] }}</label>
          </div>
          <p class="ze-faint">{{ t['evidence.zone'] }}: {{ zone }}</p>
          <button type="button" class="ze-button is-small" @click="clear">{{ t['evidence.clear'] }}</button>
        </details>
      </form>
      <p class="ze-hidden" role="status">{{ searching ? t['evidence.searching'] : t['evidence.results'] + ': ' + rows.length }}</p>
      <p v-if="failed" class="ze-banner is-problem" role="alert" data-testid="evidence-failed"><ze-sign name="warning"/>{{ t['evidence.failed'] }}: {{ failed }} <button class="ze-button is-small" @click="go">{{ t['evidence.again'] }}</button></p>
      <ul class="ze-ev-list" :aria-label="t['evidence.results']" :aria-busy="searching" data-testid="evidence-list">
        <li v-for="row in rows" :key="row.key" class="ze-ev-row" :class="row.severity ? 'is-' + row.severity : ''" :data-testid="'found-' + row.key">
          <div class="ze-ev-head"><span class="ze-ev-kind"><ze-sign :name="row.sign"/>{{ row.kind_label }} {{ row.number }}</span><span v-if="row.severity" class="ze-chip" :class="{ 'is-alarm': row.severity === 'alarm', 'is-warning': row.severity === 'warning' }">{{ row.severity_label }}</span><span v-for="chip in row.chips" :key="chip" class="ze-chip">{{ chip }}</span></div>
          <b><a v-if="row.href" :href="row.href">{{ row.title }}</a><template v-else>{{ row.title }}</template></b>
          <p v-if="row.text">{{ row.text }}</p>
          <div class="ze-ev-foot"><span class="ze-faint">{{ row.at }}<template v-if="row.until"> – {{ row.until }}</template> · {{ row.room_name }}<template v-if="row.track"> · {{ row.track }}</template><template v-if="row.by"> · {{ row.by }}</template></span>
            <button class="ze-button is-small is-quiet" :data-testid="'show-' + row.key" @click="$emit('show', { room: row.room, at: row.utc_ms })"><ze-sign name="clock"/>{{ t['evidence.show'] }}</button></div>
        </li>
      </ul>
      <p v-if="searching" class="ze-empty is-slim" role="status"><span class="ze-spin" aria-hidden="true"></span>{{ t['evidence.searching'] }}</p>
      <div v-else-if="!rows.length && !failed" class="ze-empty" data-testid="evidence-none"><ze-sign name="search"/><b>{{ t['evidence.none'] }}</b><span>{{ t['evidence.none_text'] }}</span></div>
      <button v-else-if="more" class="ze-button ze-ev-next" data-testid="evidence-more" @click="$emit('more')">{{ t['evidence.more'] }}</button>
    </section>`,
};
