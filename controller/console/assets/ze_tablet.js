import { Mark, Modal, Sign, ring } from "zeroentry-console";

const COUNT_MAX = 20;
const BUSY_MS = 8000;
const CANCEL_REASONS = ["changed", "not_needed", "wrong", "too_late"];

export default {
  components: { ZeMark: Mark, ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, room: String, menu: Array, kinds: Array, choices: Object, slots: Array, at_once: Boolean, earliest: String, people: Number, deliveries: Array, calls: Array, reasons: Array, texts: Array, talker: String, pin: String, problem: String, lost: Boolean, loading: Boolean, done: Number },
  emits: ["order", "change", "cancel", "show_pin", "hide", "language", "call", "withdraw", "read"],
  data: () => ({ kind: "meal", counts: {}, portions: {}, avoid: [], cutlery: "chopsticks", slot: "", editing: "", kept_window: null, dropping: "", busy: false, choosing: false, reading: "" }),
  watch: {
    text: {
      immediate: true,
      handler(now, before) {
        if (now && (!before || now.id !== before.id)) this.sound();
        this.reading = "";
      },
    },
    done() {
      this.clear();
    },
    problem() {
      this.busy = false;
    },
    arrived(now, before) {
      if (now > before) this.sound();
    },
  },
  computed: {
    text() {
      return (this.texts || [])[0] || null;
    },
    call_now() {
      return (this.calls || []).find((one) => one.waits) || (this.calls || [])[0] || null;
    },
    arrived() {
      return this.deliveries.filter((one) => one.state === "arrived").length;
    },
    is_meal() {
      return this.kind === "meal";
    },
    shelves() {
      const mine = this.menu.filter((dish) => dish.kind === this.kind);
      if (!this.is_meal) return mine.length ? [{ id: this.kind, name: "", dishes: mine }] : [];
      return this.choices.courses.map((course) => ({ ...course, dishes: mine.filter((dish) => dish.course === course.id) })).filter((shelf) => shelf.dishes.length);
    },
    total() {
      return this.lines().reduce((sum, line) => sum + line.count, 0);
    },
    chosen() {
      return this.slots.find((one) => one.id === this.slot) || null;
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
    clear() {
      Object.assign(this, { counts: {}, portions: {}, editing: "", kept_window: null, slot: "", busy: false });
    },
    pick(kind) {
      this.kind = kind;
      this.counts = {};
    },
    change(dish, by) {
      const count = Math.min(Math.max((this.counts[dish] || 0) + by, 0), COUNT_MAX);
      this.counts = { ...this.counts, [dish]: count };
    },
    toggle(allergen) {
      this.avoid = this.avoid.includes(allergen) ? this.avoid.filter((one) => one !== allergen) : [...this.avoid, allergen];
    },
    unfit(dish) {
      return this.is_meal && dish.allergens.some((one) => this.avoid.includes(one.id));
    },
    lines() {
      return this.menu
        .filter((dish) => dish.kind === this.kind && this.counts[dish.id])
        .map((dish) => ({ dish: dish.id, count: this.counts[dish.id], portion: this.portions[dish.id] || dish.portions[0].id, avoid: this.is_meal ? this.avoid : [] }));
    },
    send() {
      if (!this.total || this.busy) return;
      this.busy = true;
      setTimeout(() => (this.busy = false), BUSY_MS);
      const slot = this.chosen;
      const window = slot ? { from_utc_ms: slot.from_utc_ms, until_utc_ms: slot.until_utc_ms } : this.slot === "kept" ? this.kept_window : null;
      const order = { kind: this.kind, lines: this.lines(), window, cutlery: this.is_meal ? this.cutlery : "none" };
      if (this.editing) this.$emit("change", { id: this.editing, ...order });
      else this.$emit("order", order);
    },
    edit(delivery) {
      this.clear();
      this.kind = delivery.kind;
      this.editing = delivery.id;
      this.cutlery = delivery.cutlery;
      this.counts = Object.fromEntries(delivery.order.map((line) => [line.dish, line.count]));
      this.portions = Object.fromEntries(delivery.order.map((line) => [line.dish, line.portion]));
      this.avoid = delivery.order[0].avoid;
      this.kept_window = delivery.window;
      this.slot = delivery.window ? (this.slots.some((one) => one.id === delivery.slot) ? delivery.slot : "kept") : "";
      this.$nextTick(() => this.$refs.menu && this.$refs.menu.scrollIntoView({ block: "start" }));
    },
    drop(reason) {
      this.$emit("cancel", { id: this.dropping, reason });
      this.dropping = "";
    },
    sign: (status) => ({ done: "check", failed: "cross", held: "pause" })[status] || "dot",
    cancel_reasons: () => CANCEL_REASONS,
  },
  template: `
    <div class="ze-tablet" data-testid="tablet">
      <header class="ze-tablet-head"><ze-mark/><div><h1>{{ room }}</h1><p>{{ t['tablet.lead'] }}</p></div>
        <button class="ze-button is-large" data-testid="language" @click="$emit('language')"><ze-sign name="globe"/>{{ t['header.language'] }}</button></header>
      <p v-if="lost" class="ze-banner is-lost" role="alert" data-testid="tablet-lost"><ze-sign name="link_off"/>{{ t['banner.lost'] }} {{ t['tablet.lost_text'] }}</p>
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
        <section v-else ref="menu" class="ze-menu" :aria-label="t['tablet.title']" :aria-busy="loading">
          <h2>{{ t['tablet.title'] }}<small v-if="people" class="ze-faint" data-testid="tablet-people"> · {{ t['tablet.people'] }} {{ people }}</small></h2>
          <p v-if="editing" class="ze-tablet-state is-editing" role="status" data-testid="tablet-editing"><ze-sign name="notice"/><span>{{ t['tablet.changing'] }}</span><button class="ze-button is-large" data-testid="stop-change" @click="clear">{{ t['tablet.stop_change'] }}</button></p>
          <div v-if="kinds.length > 1 && !editing" class="ze-choice" role="radiogroup" :aria-label="t['tablet.kinds']"><button v-for="one in kinds" :key="one.id" role="radio" :aria-checked="String(kind === one.id)" :data-testid="'kind-' + one.id" @click="pick(one.id)">{{ one.name }}</button></div>
          <p v-if="!is_meal" class="ze-tablet-note" data-testid="needs-approval"><ze-sign name="notice"/>{{ t['tablet.needs_approval'] }}</p>
          <fieldset v-if="is_meal && choices.allergens" class="ze-avoid"><legend>{{ t['tablet.avoid'] }}</legend>
            <div class="ze-choice is-many"><button v-for="one in choices.allergens" :key="one.id" :aria-pressed="String(avoid.includes(one.id))" :data-testid="'avoid-' + one.id" @click="toggle(one.id)"><ze-sign v-if="avoid.includes(one.id)" name="cross"/>{{ one.name }}</button></div></fieldset>
          <p v-if="!loading && !shelves.length" class="ze-empty"><ze-sign name="meal"/>{{ t['tablet.menu_empty'] }}</p>
          <template v-for="shelf in shelves" :key="shelf.id"><h3 v-if="shelf.name">{{ shelf.name }}</h3>
          <ul><li v-for="dish in shelf.dishes" :key="dish.id" :class="{ 'is-chosen': counts[dish.id], 'is-off': dish.sold_out || unfit(dish) }" :data-testid="'dish-' + dish.id">
            <div><b>{{ dish.name }}</b><small v-if="dish.sold_out" class="has-allergens"><ze-sign name="cross"/>{{ t['tablet.sold_out'] }}</small>
              <small v-if="is_meal" :class="{ 'has-allergens': dish.allergens.length }" :data-testid="'allergens-' + dish.id"><ze-sign v-if="dish.allergens.length" name="warning"/><template v-if="dish.allergens.length">{{ t['tablet.allergens'] }} {{ dish.allergens.map((one) => one.name).join(', ') }}</template><template v-else>{{ t['tablet.no_allergens'] }}</template></small>
              <small v-if="unfit(dish)" class="is-unfit"><ze-sign name="cross"/>{{ t['tablet.not_for_you'] }}</small>
              <small v-if="dish.diets.length" class="is-diet"><ze-sign name="check"/>{{ dish.diets.join(', ') }}</small></div>
            <div v-if="dish.portions.length > 1 && counts[dish.id]" class="ze-choice is-small" role="radiogroup" :aria-label="t['tablet.portion_size'] + ' ' + dish.name"><button v-for="one in dish.portions" :key="one.id" role="radio" :aria-checked="String((portions[dish.id] || dish.portions[0].id) === one.id)" :data-testid="'portion-' + dish.id + '-' + one.id" @click="portions = { ...portions, [dish.id]: one.id }">{{ one.name }}</button></div>
            <span class="ze-stepper"><button :aria-label="t['tablet.less'] + ' ' + dish.name" :disabled="!counts[dish.id]" :data-testid="'less-' + dish.id" @click="change(dish.id, -1)"><ze-sign name="minus"/></button>
              <output aria-live="polite">{{ counts[dish.id] || 0 }}</output>
              <button :aria-label="t['tablet.more'] + ' ' + dish.name" :disabled="dish.sold_out || unfit(dish)" :data-testid="'more-' + dish.id" @click="change(dish.id, 1)"><ze-sign name="plus"/></button></span></li></ul></template>
          <fieldset v-if="is_meal && total"><legend>{{ t['tablet.cutlery'] }}</legend><div class="ze-choice" role="radiogroup" :aria-label="t['tablet.cutlery']"><button v-for="one in choices.cutlery" :key="one.id" role="radio" :aria-checked="String(cutlery === one.id)" :data-testid="'cutlery-' + one.id" @click="cutlery = one.id">{{ one.name }}</button></div></fieldset>
          <fieldset v-if="total && (slots.length || kept_window)"><legend>{{ t['tablet.when'] }} <small v-if="slots.length">{{ t['tablet.plus_minus'] }}</small></legend>
            <div class="ze-choice is-many" role="radiogroup" :aria-label="t['tablet.when']"><button v-if="at_once" role="radio" :aria-checked="String(slot === '')" data-testid="slot-now" @click="slot = ''">{{ t['tablet.at_once'] }}<small v-if="earliest">{{ t['tablet.about'] }} {{ earliest }}</small></button>
              <button v-for="one in slots" :key="one.id" role="radio" :aria-checked="String(slot === one.id)" :data-testid="'slot-' + one.id" @click="slot = one.id"><small v-if="one.day">{{ one.day }}</small>{{ one.label }}</button></div></fieldset>
          <button class="ze-button is-main is-huge" :disabled="!total || busy || lost" data-testid="place-order" @click="send">
            <ze-sign name="meal"/><template v-if="busy">{{ t['tablet.ordering'] }}</template><template v-else-if="total">{{ t[editing ? 'tablet.save' : 'tablet.order'] }} · {{ total }} {{ t[total === 1 ? 'tablet.portion' : 'tablet.portions'] }}</template><template v-else>{{ t['tablet.choose'] }}</template></button>
        </section>
        <section v-if="deliveries.length" class="ze-tablet-progress" :aria-label="t['tablet.progress']">
          <h2>{{ t['tablet.progress'] }}</h2>
          <article v-for="d in deliveries" :key="d.id" :data-testid="'delivery-' + d.id" :data-state="d.state">
            <p><b>{{ d.lines }}</b></p>
            <p v-if="d.comes && !d.ended"><ze-sign name="clock"/> {{ t['tablet.comes'] }} <b>{{ d.comes }}</b></p>
            <p v-if="d.about && !d.ended" :class="{ 'is-late': d.late }" role="status" :data-testid="'about-' + d.id" :data-late="String(d.late)"><ze-sign :name="d.late ? 'warning' : 'robot'"/> {{ t['tablet.arrives'] }} <b>{{ d.about }}</b><template v-if="d.late"> <span>{{ t['tablet.late'] }}</span></template></p>
            <p v-if="d.waits_approval" class="ze-tablet-note" data-testid="waits-approval"><ze-sign name="clock"/>{{ t['tablet.waits_approval'] }}</p>
            <p v-if="d.state === 'arrived'" class="ze-here" role="status" data-testid="robot-here"><ze-sign name="robot"/>{{ t['tablet.arrived'] }}</p>
            <p v-if="d.stopped" class="ze-tablet-note is-bad"><ze-sign name="cross"/>{{ d.stopped }}</p>
            <p v-if="d.explanation" class="ze-delivery-why" :class="{ 'is-trouble': d.troubled }">{{ d.explanation }}</p>
            <ol class="ze-ladder"><li v-for="step in d.steps" :key="step.id" :class="'is-' + step.status"><i><ze-sign :name="sign(step.status)"/></i>{{ step.label }}</li></ol>
            <div v-if="dropping === d.id" class="ze-tablet-reasons"><p class="ze-wide">{{ t['tablet.cancel_why'] }}</p>
              <button v-for="one in cancel_reasons()" :key="one" class="ze-button is-large" :data-testid="'cancel-' + one" @click="drop(one)">{{ t['tablet.cancel_' + one] }}</button>
              <button class="ze-button is-large is-quiet" data-testid="cancel-keep" @click="dropping = ''">{{ t['tablet.keep'] }}</button></div>
            <p v-else class="ze-tablet-do"><button v-if="d.wants_pin" class="ze-button is-large" :class="{ 'is-main': !d.has_pin || d.state === 'arrived' }" :disabled="lost" :data-testid="'show-pin-' + d.id" @click="$emit('show_pin', d.id)"><ze-sign name="key"/>{{ t['tablet.show_pin'] }}</button>
              <button v-if="d.changeable" class="ze-button is-large" :disabled="lost" :data-testid="'change-' + d.id" @click="edit(d)">{{ t['tablet.change'] }}</button>
              <button v-if="d.changeable" class="ze-button is-large" :disabled="lost" :data-testid="'cancel-' + d.id" @click="dropping = d.id">{{ t['tablet.cancel'] }}</button></p>
          </article>
        </section>
      </main>
    </div>`,
};
