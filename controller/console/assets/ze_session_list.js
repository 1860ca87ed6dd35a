import { Modal, Sign, seal_sign } from "zeroentry-console";

const FILE_MAX = 700_000; // the browser's line carries a megabyte, and base64 adds a third

export default {
  components: { ZeModal: Modal, ZeSign: Sign },
  props: { t: Object, days: Array, options: Object, wanted: Object, loading: Boolean, failed: Boolean, older: Boolean, first: Boolean, may: Boolean, found: Object, busy: Boolean, starts: String, template: Object },
  emits: ["search", "older", "newest", "schedule", "read", "take", "drop"],
  data: () => ({ making: false, importing: false, large: false, file: null, form: {}, filter: { state: "", room: "", first_day: "", last_day: "" } }),
  watch: { wanted: { immediate: true, handler(value) { this.filter = { ...this.filter, ...value }; } } },
  methods: {
    seal_sign,
    make() {
      const room = this.options.rooms[0]?.id;
      this.form = { rooms: room ? [room] : [], title: "", admitted: 5, starts: this.starts, procurement: "engineering", sector: "other" };
      this.making = true;
    },
    schedule() {
      if (!this.form.title.trim() || !this.form.rooms.length) return;
      this.$emit("schedule", { ...this.form, title: this.form.title.trim() });
      this.making = false;
    },
    choose(event) {
      const file = event.target.files[0];
      this.large = !!file && file.size > FILE_MAX;
      this.file = null;
      this.$emit("drop");
      if (!file || this.large) return;
      const reader = new FileReader();
      reader.onload = () => { this.file = { name: file.name.slice(0, 100), content: reader.result.split(",")[1] || "" }; this.$emit("read", this.file); };
      reader.readAsDataURL(file);
      event.target.value = ""; // or the corrected file, of the same name, would be no change
    },
    shut() { this.importing = false; this.file = null; this.large = false; this.$emit("drop"); },
  },
  template: `
    <section class="ze-list ze-session-list" data-testid="session-list">
      <header class="ze-list-head"><div><h1>{{ t['sessions.title'] }}</h1><p class="ze-faint">{{ t['sessions.lead'] }}</p></div>
        <span v-if="may" class="ze-sl-do"><button class="ze-button" data-testid="import-open" @click="importing = true"><ze-sign name="report"/>{{ t['sessions.import'] }}</button>
          <button class="ze-button is-main" data-testid="session-new" @click="make"><ze-sign name="plus"/>{{ t['sessions.new'] }}</button></span></header>
      <form class="ze-filters" role="search" @submit.prevent @change="$emit('search', { ...filter })">
        <label class="ze-field">{{ t['sessions.state'] }}<select v-model="filter.state" data-testid="filter-state"><option value="">{{ t['sessions.all'] }}</option><option v-for="o in options.states" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
        <label class="ze-field">{{ t['sessions.room'] }}<select v-model="filter.room" data-testid="filter-room"><option value="">{{ t['sessions.all'] }}</option><option v-for="o in options.rooms" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
        <label class="ze-field">{{ t['sessions.first_day'] }}<input type="date" v-model="filter.first_day"></label>
        <label class="ze-field">{{ t['sessions.last_day'] }}<input type="date" v-model="filter.last_day"></label>
      </form>
      <p v-if="failed" class="ze-empty" role="alert" data-testid="sessions-failed"><ze-sign name="link_off"/><b>{{ t['sessions.failed'] }}</b></p>
      <p v-else-if="loading" class="ze-empty" role="status"><i class="ze-spin"></i>{{ t['sessions.loading'] }}</p>
      <p v-else-if="!days.length" class="ze-empty" data-testid="sessions-empty"><ze-sign name="calendar"/><b>{{ t['sessions.none'] }}</b><span>{{ t['sessions.none_text'] }}</span></p>
      <section v-for="day in days" :key="day.day" class="ze-sl-day"><h2>{{ day.label }}</h2>
        <ul><li v-for="s in day.rows" :key="s.id"><a :href="'/sessions/' + s.id" class="ze-sl-row" :data-testid="'row-' + s.id" :data-state="s.state">
          <time>{{ s.at }}</time><span class="ze-session-state" :class="'is-seal-' + s.state"><ze-sign :name="seal_sign(s.state)"/>{{ s.label }}</span>
          <span class="ze-sl-what"><b>{{ s.title }}</b><small>{{ s.rooms }} · {{ s.procurement }}</small></span>
          <span class="ze-sl-count">{{ t['sessions.people'] }} {{ s.admitted }}<small v-if="s.seats">{{ t['sessions.checked_in'] }} {{ s.checked_in }}/{{ s.seats }}</small></span><code>{{ s.code }}</code></a></li></ul></section>
      <nav v-if="older || !first" class="ze-pages"><button v-if="!first" class="ze-button" @click="$emit('newest')">{{ t['sessions.newest'] }}</button><button v-if="older" class="ze-button" data-testid="sessions-older" @click="$emit('older')">{{ t['sessions.older'] }}</button></nav>
      <ze-modal :open="making" :label="t['sessions.new']" testid="session-form" @close="making = false">
        <form v-if="making" @submit.prevent="schedule"><h2>{{ t['sessions.new'] }}</h2>
          <label class="ze-field">{{ t['sessions.name'] }}<input v-model="form.title" maxlength="120" required data-testid="session-title"></label>
          <fieldset class="ze-sl-rooms"><legend>{{ t['sessions.rooms'] }} <small>{{ t['sessions.rooms_hint'] }}</small></legend><label v-for="o in options.rooms" :key="o.id"><input type="checkbox" :value="o.id" v-model="form.rooms">{{ o.label }}</label></fieldset>
          <div class="ze-sl-two"><label class="ze-field">{{ t['sessions.starts'] }}<input type="datetime-local" v-model="form.starts" required></label>
            <label class="ze-field">{{ t['sessions.people'] }}<input type="number" min="1" max="40" v-model.number="form.admitted" required></label>
            <label class="ze-field">{{ t['sessions.procurement'] }}<select v-model="form.procurement"><option v-for="o in options.procurements" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
            <label class="ze-field">{{ t['sessions.sector'] }}<select v-model="form.sector"><option v-for="o in options.sectors" :key="o.id" :value="o.id">{{ o.label }}</option></select></label></div>
          <footer class="ze-modal-foot"><button type="button" class="ze-button" @click="making = false">{{ t['sessions.close'] }}</button><button class="ze-button is-main" data-testid="session-create">{{ t['sessions.create'] }}</button></footer></form>
      </ze-modal>
      <ze-modal :open="importing" :label="t['sessions.import']" testid="import-form" @close="shut">
        <h2>{{ t['sessions.import'] }}</h2><p>{{ t['import.lead'] }}</p>
        <p class="ze-sl-do"><a v-for="(href, kind) in template" :key="kind" class="ze-button is-small is-quiet" :href="href" :download="'schedule.' + kind">{{ t['import.template'] }} {{ kind.toUpperCase() }}</a></p>
        <label class="ze-field">{{ t['import.file'] }}<input type="file" accept=".csv,.xlsx,text/csv" data-testid="import-file" @change="choose" @cancel.stop></label><p v-if="file" class="ze-faint">{{ file.name }}</p>
        <p v-if="large" class="ze-sl-bad" role="alert"><ze-sign name="alarm"/>{{ t['import.large'] }}</p>
        <p v-if="busy" role="status"><i class="ze-spin"></i> {{ t['sessions.loading'] }}</p>
        <template v-if="found && !busy">
          <p v-if="found.problems.length" class="ze-sl-bad" role="alert" data-testid="import-wrong"><ze-sign name="alarm"/>{{ found.problems.length + found.more }} {{ t['import.wrong'] }}</p>
          <p v-else-if="found.imported" class="ze-sl-good" role="status" data-testid="import-done"><ze-sign name="check"/>{{ found.imported }} {{ t['import.done'] }}</p>
          <p v-else class="ze-sl-good" role="status" data-testid="import-good"><ze-sign name="check"/>{{ found.rows }} {{ t['import.good'] }}</p>
          <div v-if="found.problems.length" class="ze-table-wrap"><table class="ze-table is-cards"><thead><tr><th>{{ t['import.row'] }}</th><th>{{ t['import.column'] }}</th><th>{{ t['import.what'] }}</th><th>{{ t['import.todo'] }}</th></tr></thead>
            <tbody><tr v-for="(p, i) in found.problems" :key="i" data-testid="import-problem"><td :data-label="t['import.row']">{{ p.row }}</td><td :data-label="t['import.column']">{{ p.column }}</td><td class="is-wide">{{ p.text }} <code v-if="p.value">{{ p.value }}</code></td><td class="is-wide">{{ p.advice }}</td></tr></tbody></table></div></template>
        <footer class="ze-modal-foot"><button class="ze-button" @click="shut">{{ t['sessions.close'] }}</button><button class="ze-button is-main" :disabled="!file || busy || !found || !!found.problems.length || !!found.imported" data-testid="import-do" @click="$emit('take', file)">{{ t['import.do'] }}</button></footer>
      </ze-modal>
    </section>`,
};
