import { Mark, Modal, Sign, ring } from "zeroentry-console";

const COUNT_MAX = 20;

export default {
  components: { ZeMark: Mark, ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, room: String, menu: Array, deliveries: Array, calls: Array, reasons: Array, texts: Array, talker: String, pin: String, problem: String, lost: Boolean, loading: Boolean },
  emits: ["order", "hide", "language", "call", "withdraw", "read"],
  data: () => ({ counts: {}, busy: false, choosing: false, reading: "" }),
  watch: {
    text: {
      immediate: true,
      handler(now, before) {
        if (now && (!before || now.id !== before.id)) this.sound();
        this.reading = "";
      },
    },
    pin() {
      this.busy = false;
      if (this.pin) this.counts = {};
    },
    problem() {
      this.busy = false;
    },
  },
  computed: {
    text() {
      return (this.texts || [])[0] || null;
    },
    call_now() {
      return (this.calls || []).find((one) => one.waits) || (this.calls || [])[0] || null;
    },
    total() {
      return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
    },
  },
  methods: {
    sound() {
      // A page that nobody has touched yet may not sound; the words are big enough then.
      if (!this.audio) this.audio = new AudioContext();
      if (this.audio.state === "suspended") this.audio.resume().catch(() => {});
      ring(this.audio, 1, "call");
    },
    choose(reason) {
      this.choosing = false;
      this.$emit("call", reason);
    },
    read(id) {
      this.reading = id;
      setTimeout(() => (this.reading = ""), 4000);
      this.$emit("read", id);
    },
    change(dish, by) {
      const count = Math.min(Math.max((this.counts[dish] || 0) + by, 0), COUNT_MAX);
      this.counts = { ...this.counts, [dish]: count };
    },
    order() {
      if (!this.total || this.busy) return;
      this.busy = true;
      setTimeout(() => (this.busy = false), 8000);
      const lines = Object.entries(this.counts).filter(([, count]) => count).map(([dish, count]) => ({ dish, count }));
      this.$emit("order", lines);
    },
    sign: (status) => ({ done: "check", failed: "cross", held: "pause" })[status] || "dot",
  },
  template: `
    <div class="ze-tablet" data-testid="tablet">
      <header class="ze-tablet-head"><ze-mark/><div><h1>{{ room }}</h1><p>{{ t['tablet.lead'] }}</p></div>
        <button class="ze-button is-large" data-testid="language" @click="$emit('language')"><ze-sign name="globe"/>{{ t['header.language'] }}</button></header>
      <p v-if="lost" class="ze-banner is-lost" role="alert"><ze-sign name="link_off"/>{{ t['banner.lost'] }}</p>
      <p v-if="problem" class="ze-banner is-problem" role="alert" data-testid="tablet-problem"><ze-sign name="warning"/>{{ problem }}</p>
      <div v-if="text" class="ze-tablet-text" role="alertdialog" aria-modal="true" :aria-label="t['call.text_title']" data-testid="tablet-text" :data-id="text.id">
        <h2><ze-sign name="bell"/>{{ t['call.text_title'] }} <small>{{ text.at }}</small></h2>
        <p lang="zh" data-testid="tablet-text-words">{{ text.text }}</p>
        <button class="ze-button is-main is-huge" autofocus :disabled="reading === text.id" data-testid="tablet-text-read" @click="read(text.id)"><ze-sign name="check"/>{{ t['call.text_read'] }}</button>
        <small v-if="texts.length > 1">+{{ texts.length - 1 }} {{ t['call.more'] }}</small>
      </div>
      <main class="ze-tablet-body">
        <section class="ze-tablet-call" :class="{ 'is-ringing': call_now && call_now.waits, 'is-answered': call_now && !call_now.waits }" :aria-label="t['call.title']" data-testid="tablet-call">
          <p v-if="talker" class="ze-tablet-state" role="status" data-testid="tablet-talker"><ze-sign name="sound"/>{{ t['call.talking'] }}</p>
          <p v-if="call_now" class="ze-tablet-state" role="status" data-testid="tablet-call-state" :data-state="call_now.waits ? 'waiting' : 'answered'"><ze-sign :name="call_now.waits ? 'bell' : 'check'"/><span>{{ call_now.reason }}: {{ t[call_now.waits ? 'call.sent' : 'call.answered'] }}</span>
            <button class="ze-button is-large" data-testid="call-withdraw" @click="$emit('withdraw', call_now.id)">{{ t['call.withdraw'] }}</button></p>
          <button v-if="!choosing" class="ze-button is-huge" :class="{ 'is-main': !call_now }" :disabled="lost" data-testid="call-supervisor" @click="choosing = true"><ze-sign name="bell"/>{{ t['call.title'] }}</button>
          <template v-else><h2>{{ t['call.why'] }}</h2>
            <div class="ze-tablet-reasons"><button v-for="one in reasons" :key="one.id" class="ze-button is-large" :class="{ 'is-danger': one.id === 'danger' || one.id === 'unwell' }" :data-testid="'call-' + one.id" @click="choose(one.id)">{{ one.text }}</button>
              <button class="ze-button is-large is-quiet" data-testid="call-close" @click="choosing = false">{{ t['call.close'] }}</button></div></template>
        </section>
        <section v-if="pin" class="ze-pin" data-testid="pin-card" aria-live="polite">
          <h2>{{ t['tablet.pin_title'] }}</h2>
          <p class="ze-pin-digits" data-testid="pin" :data-pin="pin"><span v-for="(digit, n) in pin" :key="n">{{ digit }}</span></p>
          <p class="ze-pin-once"><ze-sign name="notice"/>{{ t['tablet.pin_once'] }}</p>
          <ol class="ze-next"><li><b>1</b>{{ t['tablet.next_1'] }}</li><li><b>2</b>{{ t['tablet.next_2'] }}</li><li><b>3</b>{{ t['tablet.next_3'] }}</li></ol>
          <button class="ze-button is-main is-huge" data-testid="hide-pin" @click="$emit('hide')">{{ t['tablet.hide_pin'] }}</button>
        </section>
        <section v-else class="ze-menu" :aria-label="t['tablet.title']">
          <h2>{{ t['tablet.title'] }}</h2>
          <p v-if="!loading && !menu.length" class="ze-empty"><ze-sign name="meal"/>{{ t['tablet.menu_empty'] }}</p>
          <ul><li v-for="dish in menu" :key="dish.id" :class="{ 'is-chosen': counts[dish.id] }" :data-testid="'dish-' + dish.id">
            <div><b>{{ dish.name }}</b><small :class="{ 'has-allergens': dish.allergens }" :data-testid="'allergens-' + dish.id"><ze-sign v-if="dish.allergens" name="warning"/><template v-if="dish.allergens">{{ t['tablet.allergens'] }} {{ dish.allergens }}</template><template v-else>{{ t['tablet.no_allergens'] }}</template></small></div>
            <span class="ze-stepper"><button :aria-label="t['tablet.less'] + ' ' + dish.name" :disabled="!counts[dish.id]" :data-testid="'less-' + dish.id" @click="change(dish.id, -1)"><ze-sign name="minus"/></button>
              <output aria-live="polite">{{ counts[dish.id] || 0 }}</output>
              <button :aria-label="t['tablet.more'] + ' ' + dish.name" :data-testid="'more-' + dish.id" @click="change(dish.id, 1)"><ze-sign name="plus"/></button></span></li></ul>
          <button class="ze-button is-main is-huge" :disabled="!total || busy || lost" data-testid="place-order" @click="order">
            <ze-sign name="meal"/><template v-if="busy">{{ t['tablet.ordering'] }}</template><template v-else-if="total">{{ t['tablet.order'] }} · {{ total }} {{ t[total === 1 ? 'tablet.portion' : 'tablet.portions'] }}</template><template v-else>{{ t['tablet.choose'] }}</template></button>
        </section>
        <section v-if="deliveries.length" class="ze-tablet-progress" :aria-label="t['tablet.progress']">
          <h2>{{ t['tablet.progress'] }}</h2>
          <article v-for="d in deliveries" :key="d.id" :data-testid="'delivery-' + d.id" :data-state="d.state">
            <p><b>{{ d.lines }}</b></p>
            <p v-if="d.state === 'arrived'" class="ze-here" data-testid="robot-here"><ze-sign name="robot"/>{{ t['tablet.arrived'] }}</p>
            <p v-if="d.explanation" class="ze-delivery-why">{{ d.explanation }}</p>
            <ol class="ze-ladder"><li v-for="step in d.steps" :key="step.id" :class="'is-' + step.status"><i><ze-sign :name="sign(step.status)"/></i>{{ step.label }}</li></ol>
          </article>
        </section>
      </main>
    </div>`,
};
