import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, html: String, problem: String },
  methods: {
    print() {
      const page = this.$refs.page?.contentWindow;
      if (page) page.print();
    },
  },
  template: `
    <main class="ze-report" data-testid="report">
      <header><h1>{{ t['report.title'] }}</h1><span class="ze-chip">{{ t['report.draft'] }}</span>
        <button class="ze-button is-main" :disabled="!html" data-testid="print" @click="print"><ze-sign name="print"/>{{ t['report.print'] }}</button></header>
      <p v-if="problem" class="ze-banner is-problem" role="alert" data-testid="report-problem"><ze-sign name="warning"/>{{ problem }}</p>
      <p v-else-if="!html" class="ze-empty" role="status"><span class="ze-spin" aria-hidden="true"></span>{{ t['report.loading'] }}</p>
      <iframe v-else ref="page" class="ze-paper" sandbox="allow-same-origin allow-modals" :srcdoc="html" :title="t['report.title']" data-testid="report-page"></iframe>
    </main>`,
};
