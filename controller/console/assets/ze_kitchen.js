import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, orders: Array, loading: Boolean, may: Boolean },
  emits: ["loaded"],
  data: () => ({ sent: {} }),
  methods: {
    loaded(order) {
      this.sent = { ...this.sent, [order.id]: true };
      setTimeout(() => delete this.sent[order.id], 5000);
      this.$emit("loaded", { id: order.id, compartment: order.compartment || 1 });
    },
  },
  template: `
    <main class="ze-kitchen" data-testid="kitchen">
      <header><h1>{{ t['kitchen.title'] }}</h1><p>{{ t['kitchen.lead'] }}</p></header>
      <div v-if="!loading && !orders.length" class="ze-empty" data-testid="kitchen-empty"><ze-sign name="check"/><b>{{ t['kitchen.empty'] }}</b><span>{{ t['kitchen.empty_text'] }}</span></div>
      <div class="ze-orders"><article v-for="o in orders" :key="o.id" :class="{ 'is-here': o.here }" :data-testid="'load-' + o.id">
        <p class="ze-order-state"><ze-sign :name="o.here ? 'robot' : 'clock'"/>{{ o.status }}<time>{{ t['kitchen.ordered'] }} {{ o.ordered }}</time></p>
        <div class="ze-order-where"><span v-if="o.robot"><small>{{ o.robot }}</small></span><b v-if="o.compartment"><small>{{ t['delivery.compartment'] }}</small>{{ o.compartment }}</b></div>
        <ul><li v-for="line in o.lines" :key="line.name"><b>{{ line.count }}</b>{{ line.name }}</li></ul>
        <p class="ze-faint">{{ t['kitchen.to'] }} {{ o.room }}</p>
        <button v-if="o.here && may" class="ze-button is-main is-huge" :disabled="!!sent[o.id]" :data-testid="'loaded-' + o.id" @click="loaded(o)"><ze-sign name="lock"/>{{ t['kitchen.loaded'] }}</button>
      </article></div>
    </main>`,
};
