import { Sign } from "zeroentry-console";

const Steps = {
  components: { ZeSign: Sign },
  props: { steps: Array },
  methods: { sign: (status) => ({ done: "check", failed: "cross", held: "pause" })[status] || "dot" },
  template: `
    <ol class="ze-steps"><li v-for="step in steps" :key="step.id" :class="'is-' + step.status" :data-step="step.id" :data-status="step.status">
      <i><ze-sign :name="sign(step.status)"/></i><span>{{ step.label }}</span></li></ol>`,
};

export default {
  components: { ZeSign: Sign, ZeSteps: Steps },
  props: { t: Object, deliveries: Array, order_href: String, loading: Boolean },
  template: `
    <section class="ze-panel ze-deliveries" :aria-label="t['delivery.heading']" data-testid="deliveries">
      <header class="ze-panel-head"><h2>{{ t['delivery.heading'] }}</h2><span class="ze-stale-mark">{{ t['state.stale'] }}</span>
        <a v-if="order_href" class="ze-button is-main is-small" :href="order_href" target="_blank" data-testid="order-meal"><ze-sign name="meal"/>{{ t['delivery.order'] }}</a></header>
      <p v-if="!loading && !deliveries.length" class="ze-empty is-slim"><ze-sign name="box"/>{{ t['delivery.empty'] }}</p>
      <article v-for="d in deliveries" :key="d.id" class="ze-delivery" :class="{ 'is-ended': d.ended, 'is-held': d.held }" :data-testid="'delivery-' + d.id" :data-state="d.state">
        <p class="ze-delivery-head"><b>{{ d.room }}</b><span>{{ d.lines }}</span><span class="ze-faint">{{ d.robot }}<template v-if="d.compartment"> · {{ t['delivery.compartment'] }} {{ d.compartment }}</template> · {{ d.ordered }}</span>
          <span v-if="d.held" class="ze-chip is-warning"><ze-sign name="pause"/>{{ t['delivery.held'] }}</span><span v-if="d.stopped" class="ze-chip is-alarm"><ze-sign name="cross"/>{{ d.stopped }}</span></p>
        <ze-steps :steps="d.steps"/>
        <p v-if="d.explanation" class="ze-delivery-why" :class="{ 'is-trouble': d.troubled }">{{ d.explanation }}</p>
      </article>
    </section>`,
};
