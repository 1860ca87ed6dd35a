import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, lost: Boolean, since: String, problem: String, look: Object, loading: Boolean },
  emits: ["dismiss"],
  watch: {
    lost() {
      this.follow();
    },
  },
  mounted() {
    this.follow();
  },
  methods: {
    follow() {
      document.body.classList.toggle("ze-stale", this.lost);
    },
  },
  template: `
    <div class="ze-banners" aria-live="assertive">
      <div v-if="lost" class="ze-banner is-lost" role="alert" data-testid="banner-lost">
        <ze-sign name="link_off"/><span>{{ t['banner.lost'] }}</span><b>{{ t['banner.since'] }} {{ since }}</b></div>
      <div v-else-if="loading" class="ze-banner is-loading" role="status" data-testid="banner-loading">
        <span class="ze-spin" aria-hidden="true"></span>{{ t['state.loading'] }}</div>
      <div v-if="problem" class="ze-banner is-problem" role="alert" data-testid="banner-problem">
        <ze-sign name="warning"/><span>{{ problem }} <a v-if="look && look.href" class="ze-rule-link" :href="look.href" data-testid="banner-look">{{ look.label }}</a></span>
        <button class="ze-button is-quiet" @click="$emit('dismiss')" data-testid="banner-dismiss">{{ t['problem.dismiss'] }}</button></div>
    </div>`,
};
