import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, kind: String, name: String, loading: Boolean, report: Object },
  emits: ["show", "file"],
  data() { return { form: { kind: this.kind, name: this.name } }; },
  watch: {
    kind(value) { this.form.kind = value; },
    name(value) { this.form.name = value; },
  },
  computed: {
    columns() { return ["subject", "code", "held", "late", "absent", "replaced", "recused", "violations"]; },
    hint() { return { months: "2026-11", quarters: "2026-4", sessions: "" }[this.form.kind]; },
  },
  template: `
    <div class="ze-conduct" data-testid="conduct">
      <form class="ze-ret-head" @submit.prevent="$emit('show', { ...form })"><h1>{{ t['con.title'] }}</h1>
        <label class="ze-field">{{ t['con.kind'] }}<select v-model="form.kind" data-testid="conduct-kind"><option v-for="k in ['months', 'quarters', 'sessions']" :key="k" :value="k">{{ t['con.' + k] }}</option></select></label>
        <label class="ze-field">{{ t['con.period'] }}<input v-model="form.name" :placeholder="hint" maxlength="40" required data-testid="conduct-name"></label>
        <button class="ze-button is-main" type="submit" data-testid="conduct-show">{{ t['con.show'] }}</button>
        <span class="ze-ret-files"><button v-for="f in ['xlsx', 'pdf', 'csv']" :key="f" type="button" class="ze-button is-small" :disabled="!report" :data-testid="'conduct-' + f" @click="$emit('file', f)">{{ f.toUpperCase() }}</button></span></form>
      <p class="ze-rep-say">{{ t['con.rule'] }}</p>
      <p v-if="loading" class="ze-empty" role="status"><span class="ze-spin" aria-hidden="true"></span>{{ t['con.loading'] }}</p>
      <template v-else-if="report">
        <h2>{{ report.name }} · {{ t['con.lines'] }} · {{ t['con.held'] }} {{ report.sessions }}</h2>
        <p v-if="!report.lines.length" class="ze-empty is-slim" data-testid="conduct-empty"><ze-sign name="check"/>{{ t['con.empty'] }}</p>
        <div v-else class="ze-table-wrap"><table class="ze-table" data-testid="conduct-lines"><thead><tr><th v-for="c in columns" :key="c" scope="col">{{ t['con.' + c] }}</th></tr></thead>
          <tbody><tr v-for="(row, i) in report.lines" :key="i"><td v-for="c in columns" :key="c" :class="{ 'ze-rep-bad': ['late', 'absent', 'violations'].includes(c) && row[c] }">{{ row[c] }}</td></tr></tbody></table></div>
        <h2>{{ t['con.incidents'] }}</h2>
        <p v-if="!report.incidents.length" class="ze-empty is-slim"><ze-sign name="check"/>{{ t['con.no_incidents'] }}</p>
        <div v-else class="ze-table-wrap"><table class="ze-table" data-testid="conduct-incidents"><thead><tr><th scope="col">#</th><th scope="col">{{ t['con.when'] }}</th><th scope="col">{{ t['con.subject'] }}</th><th scope="col">{{ t['con.seat'] }}</th><th scope="col">{{ t['con.what'] }}</th><th scope="col">{{ t['con.statement'] }}</th></tr></thead>
          <tbody><tr v-for="row in report.incidents" :key="row.id"><td><a :href="'/alerts/' + row.id">{{ row.number }}</a></td><td class="ze-number">{{ row.when }}</td><td>{{ row.subject }} {{ row.code }}</td><td>{{ row.seat }}</td><td>{{ row.what }}</td><td>{{ row.statement || '—' }}</td></tr></tbody></table></div>
      </template>
    </div>`,
};
