import { Sign } from "zeroentry-console";

const SENT_MS = 5000;

export default {
  components: { ZeSign: Sign },
  props: { t: Object, orders: Array, back: Array, in_hand: Array, totals: Array, menu: Array, recurring: Array, today: String, loading: Boolean, may: Boolean },
  emits: ["loaded", "inspected", "sold_out", "add", "remove", "file"],
  data: () => ({ sent: {}, ticket: null, dish: "", at: "12:00", first: "", last: "" }),
  computed: {
    here() {
      return this.orders.filter((one) => one.here);
    },
    coming() {
      return this.orders.filter((one) => !one.here);
    },
    mains() {
      return this.menu.filter((one) => one.kind === "meal" && one.course === "main");
    },
  },
  methods: {
    loaded(order) {
      this.sent = { ...this.sent, [order.id]: true };
      setTimeout(() => (this.sent = { ...this.sent, [order.id]: false }), SENT_MS);
      this.$emit("loaded", { id: order.id, compartment: order.compartment || 1 });
    },
    print(order) {
      this.ticket = order;
      this.$nextTick(() => window.print());
    },
    add() {
      this.$emit("add", { dish: this.dish || (this.mains[0] || {}).id || "", at_local: this.at });
    },
    file(kind) {
      this.$emit("file", { kind, first: this.first || this.today, last: this.last || this.today });
    },
  },
  template: `
    <main class="ze-kitchen" data-testid="kitchen">
      <header><h1>{{ t['kitchen.title'] }}</h1><p>{{ t['kitchen.lead'] }}</p></header>
      <div v-if="!loading && !orders.length && !back.length && !in_hand.length" class="ze-empty" data-testid="kitchen-empty"><ze-sign name="check"/><b>{{ t['kitchen.empty'] }}</b><span>{{ t['kitchen.empty_text'] }}</span></div>
      <p v-if="totals.length" class="ze-kitchen-totals" :aria-label="t['kitchen.counts']"><span v-for="one in totals" :key="one.name"><b>{{ one.count }}</b> {{ one.name }}</span></p>
      <template v-for="part in [{ id: 'now', rows: here }, { id: 'coming', rows: coming }]" :key="part.id"><section v-if="part.rows.length" :aria-label="t['kitchen.' + part.id]"><h2>{{ t['kitchen.' + part.id] }}</h2>
      <div class="ze-orders"><article v-for="o in part.rows" :key="o.id" :class="{ 'is-here': o.here }" :data-testid="'load-' + o.id">
        <p class="ze-order-state"><ze-sign :name="o.here ? 'robot' : 'clock'"/>{{ o.status }}<time>{{ t['kitchen.by'] }} {{ o.by }}</time></p>
        <div class="ze-order-where"><span v-if="o.robot"><small>{{ o.robot }}</small></span><b v-if="o.compartment"><small>{{ t['delivery.compartment'] }}</small>{{ o.compartment }}</b></div>
        <p v-if="!o.meal" class="ze-chip">{{ o.kind }}</p>
        <ul><li v-for="(line, n) in o.lines" :key="n"><b>{{ line.count }}</b><span>{{ line.name }}<template v-if="line.portion"> · {{ line.portion }}</template><small v-if="line.diets.length" class="is-diet"><ze-sign name="check"/>{{ line.diets.join(', ') }}</small><small v-if="line.avoid.length" class="has-allergens"><ze-sign name="warning"/>{{ t['kitchen.avoid'] }}: {{ line.avoid.join(', ') }}</small></span></li></ul>
        <p class="ze-faint">{{ t['kitchen.to'] }} {{ o.room }}<template v-if="o.boxes"> · {{ o.boxes }} {{ t['kitchen.boxes'] }}</template><template v-if="o.cutlery"> · {{ o.cutlery }}</template></p>
        <p v-if="o.explanation" class="ze-delivery-why" :class="{ 'is-trouble': o.troubled }">{{ o.explanation }}</p>
        <p class="ze-kitchen-do"><button v-if="o.compartment" class="ze-button is-large" :data-testid="'ticket-' + o.id" @click="print(o)"><ze-sign name="print"/>{{ t['kitchen.ticket'] }}</button>
        <button v-if="o.here && may" class="ze-button is-main is-large" :disabled="!!sent[o.id]" :data-testid="'loaded-' + o.id" @click="loaded(o)"><ze-sign name="lock"/>{{ t['kitchen.loaded'] }}</button></p>
      </article></div></section></template>
      <section v-if="in_hand.length" data-testid="kitchen-in-hand"><h2>{{ t['kitchen.in_hand'] }}</h2><p class="ze-faint">{{ t['kitchen.in_hand_text'] }}</p>
        <div class="ze-orders"><article v-for="one in in_hand" :key="one.id" :data-testid="'in-hand-' + one.id">
          <div class="ze-order-where"><span><small>{{ one.robot }}</small></span><b><small>{{ t['delivery.compartment'] }}</small>{{ one.compartments.join(', ') }}</b></div>
          <p><b>{{ one.by }}</b> · {{ one.at }}<template v-if="one.place"> · {{ one.place }}</template></p><p class="ze-faint">{{ one.reason }}</p>
        </article></div></section>
      <section v-if="back.length" data-testid="kitchen-back"><h2>{{ t['kitchen.back'] }}</h2><p class="ze-faint">{{ t['kitchen.back_other_text'] }}</p>
        <div class="ze-orders"><article v-for="b in back" :key="b.id" :data-testid="'back-' + b.id">
          <div class="ze-order-where"><span><small>{{ b.robot }}</small></span><b><small>{{ t['delivery.compartment'] }}</small>{{ b.compartment }}</b></div>
          <p v-if="b.explanation" class="ze-delivery-why" :class="{ 'is-trouble': b.troubled }">{{ b.explanation }}</p>
          <p v-if="may" class="ze-kitchen-do"><button v-for="one in ['empty', 'food', 'other']" :key="one" class="ze-button is-large" :class="{ 'is-danger': one === 'other' }" :data-testid="'found-' + one + '-' + b.id" @click="$emit('inspected', { id: b.id, found: one })">{{ t['kitchen.back_' + one] }}</button></p>
        </article></div></section>
      <div v-if="may" class="ze-kitchen-more">
        <details data-testid="kitchen-menu"><summary>{{ t['kitchen.menu'] }}</summary><p><a class="ze-button" href="/kitchen/menu" data-testid="menu-edit"><ze-sign name="gear"/>{{ t['menu.edit'] }}</a></p><ul class="ze-kitchen-list"><li v-for="dish in menu" :key="dish.id"><span>{{ dish.name }}</span><button class="ze-button" role="switch" :aria-checked="String(!dish.sold_out)" :data-testid="'sold-' + dish.id" @click="$emit('sold_out', dish.id)"><ze-sign :name="dish.sold_out ? 'cross' : 'check'"/>{{ t[dish.sold_out ? 'kitchen.sold_out' : 'kitchen.on_sale'] }}</button></li></ul></details>
        <details data-testid="kitchen-recurring"><summary>{{ t['kitchen.recurring'] }}</summary><p class="ze-faint">{{ t['kitchen.recurring_text'] }}</p>
          <p v-if="!recurring.length" class="ze-faint">{{ t['kitchen.recurring_none'] }}</p>
          <ul class="ze-kitchen-list"><li v-for="row in recurring" :key="row.id" :data-testid="'recurring-' + row.id"><span>{{ row.line }}</span><button class="ze-button" @click="$emit('remove', row.id)">{{ t['kitchen.recurring_remove'] }}</button></li></ul>
          <p class="ze-kitchen-form"><label>{{ t['kitchen.recurring_dish'] }}<select v-model="dish" data-testid="recurring-dish"><option v-for="one in mains" :key="one.id" :value="one.id">{{ one.name }}</option></select></label>
            <label>{{ t['kitchen.recurring_at'] }}<input v-model="at" type="time" data-testid="recurring-at"></label><button class="ze-button is-main" data-testid="recurring-add" @click="add">{{ t['kitchen.recurring_add'] }}</button></p></details>
        <details data-testid="kitchen-accounting"><summary>{{ t['kitchen.accounting'] }}</summary>
          <p class="ze-kitchen-form"><label>{{ t['kitchen.from'] }}<input v-model="first" type="date" :max="today"></label><label>{{ t['kitchen.until'] }}<input v-model="last" type="date"></label>
            <button class="ze-button" data-testid="meals-csv" @click="file('csv')">{{ t['kitchen.csv'] }}</button><button class="ze-button" data-testid="meals-xlsx" @click="file('xlsx')">{{ t['kitchen.xlsx'] }}</button></p></details>
      </div>
      <aside v-if="ticket" class="ze-ticket" aria-hidden="true" data-testid="ticket"><p class="door"><small>{{ t['kitchen.door_code'] }}</small>{{ ticket.door_code }}</p>
        <p><b>{{ ticket.robot }}</b> · {{ t['delivery.compartment'] }} <b>{{ ticket.compartment }}</b> · {{ ticket.by }}</p>
        <ul><li v-for="(line, n) in ticket.lines" :key="n"><b>{{ line.count }} × {{ line.name }}</b><template v-if="line.portion"> · {{ line.portion }}</template><template v-if="line.diets.length"> · {{ line.diets.join(', ') }}</template><em v-if="line.avoid.length"> ⚠ {{ t['kitchen.avoid'] }}: {{ line.avoid.join(', ') }}</em></li></ul>
        <p v-if="ticket.boxes">{{ ticket.boxes }} {{ t['kitchen.boxes'] }}<template v-if="ticket.cutlery"> · {{ ticket.cutlery }}</template></p></aside>
    </main>`,
};
