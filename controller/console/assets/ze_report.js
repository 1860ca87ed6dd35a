import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, html: String, problem: String, state: Object, may: Boolean, busy: Boolean },
  emits: ["fetch", "make"],
  data: () => ({ reason: "" }),
  computed: {
    newest() { return this.state?.versions[0]; },
  },
  methods: {
    fill(text, value) { return text.replace("{0}", value); },
    get(what, version) { this.$emit("fetch", { what, version }); },
    print() {
      const page = this.$refs.page?.contentWindow;
      if (page) page.print();
    },
    make() {
      this.$emit("make", this.reason.trim());
      this.reason = "";
    },
  },
  template: `
    <main class="ze-report" data-testid="report">
      <header><h1>{{ t['report.title'] }}</h1>
        <span v-if="state" class="ze-chip" :class="newest ? 'is-good' : 'is-open'" data-testid="report-state" :data-version="newest ? newest.version : 0"><ze-sign :name="newest ? 'check' : 'clock'"/>{{ newest ? fill(t['rep.signed'], newest.version) : t['rep.draft'] }}</span>
        <button class="ze-button" :disabled="!html" data-testid="print" @click="print"><ze-sign name="print"/>{{ t['report.print'] }}</button></header>
      <p v-if="problem" class="ze-banner is-problem" role="alert" data-testid="report-problem"><ze-sign name="warning"/>{{ problem }}</p>
      <section v-if="state" class="ze-rep-versions" :aria-label="t['rep.versions']">
        <p v-if="!state.released" class="ze-rep-say" role="status">{{ t['rep.not_over'] }} <button class="ze-button is-small" data-testid="report-draft" @click="get('draft', 0)">{{ t['rep.draft_pdf'] }}</button></p>
        <p v-else-if="!newest" class="ze-rep-say" role="status">{{ fill(t['rep.due'], state.due) }} <template v-if="state.waiting">{{ fill(t['rep.waiting'], state.waiting) }}</template>
          <button v-if="may" class="ze-button is-main is-small" :disabled="busy" data-testid="report-make" @click="make">{{ t['rep.make'] }}</button>
          <button class="ze-button is-small" data-testid="report-draft" @click="get('draft', 0)">{{ t['rep.draft_pdf'] }}</button></p>
        <article v-for="v in state.versions" :key="v.version" class="ze-rep-version" :data-testid="'report-v' + v.version">
          <div><b>{{ fill(t['rep.signed'], v.version) }}</b> <small>{{ v.made }} · {{ t['rep.by'] }} {{ v.by }}<template v-if="v.reason"> · {{ v.reason }}</template></small>
            <small class="ze-rep-hash">{{ t['rep.hash'] }} {{ v.sha256 }}</small><small class="ze-rep-hash">{{ t['rep.key'] }} {{ v.key }}</small></div>
          <span><button class="ze-button is-main is-small" data-testid="report-pdf-zh" @click="get('pdf_zh', v.version)"><ze-sign name="report"/>{{ t['rep.pdf_zh'] }}</button>
            <button class="ze-button is-small" data-testid="report-pdf-en" @click="get('pdf_en', v.version)">{{ t['rep.pdf_en'] }}</button>
            <button class="ze-button is-small" data-testid="report-json" @click="get('json', v.version)">{{ t['rep.json'] }}</button>
            <button class="ze-button is-small" data-testid="report-bundle" @click="get('bundle', v.version)">{{ t['rep.bundle'] }}</button></span>
        </article>
        <form v-if="newest && state.late && may" class="ze-rep-late" @submit.prevent="reason.trim() && make()"><p>{{ t['rep.late'] }}</p>
          <label class="ze-field">{{ t['rep.reason'] }}<input v-model="reason" maxlength="500" required data-testid="report-reason"></label>
          <button class="ze-button is-small" :disabled="busy || !reason.trim()" type="submit" data-testid="report-further">{{ t['rep.further'] }}</button></form>
        <p v-if="newest" class="ze-rep-verify"><code>{{ t['rep.verify'] }}</code></p>
      </section>
      <p v-if="!html && !problem" class="ze-empty" role="status"><span class="ze-spin" aria-hidden="true"></span>{{ t['report.loading'] }}</p>
      <iframe v-else-if="html" ref="page" class="ze-paper" sandbox="allow-same-origin allow-modals" :srcdoc="html" :title="t['report.title']" data-testid="report-page"></iframe>
    </main>`,
};
