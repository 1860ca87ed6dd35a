import { Sign, Ticking, elapsed } from "zeroentry-console";

// Which fields a step asks for; one that asks for nothing is sent at once.
const FORMS = {
  assign: ["to", "due", "text"],
  note: ["text"],
  urge: ["text", "due"],
  reply: ["text"],
  resolve: ["disposition", "seat", "text"],
  statement: ["seat", "text"],
  close: ["text"],
  reopen: ["text"],
};
const NEEDS_TEXT = ["note", "urge", "reply", "statement", "reopen"];
const DUE = [0, 15, 30, 60, 240, 1440];
const EMPTY = { text: "", to: "", due_min: 0, disposition: "", seat: "" };

export default {
  mixins: [Ticking],
  components: { ZeSign: Sign },
  props: { t: Object, alert: Object, steps: Array, people: Array, me: String, loading: Boolean, failed: Boolean, sent: Number },
  emits: ["step"],
  data: () => ({ form: "", values: { ...EMPTY }, busy: false, dues: DUE }),
  watch: {
    // A step that was taken shuts its form; one that was refused keeps what was typed.
    sent() {
      this.form = "";
      this.busy = false;
    },
    "alert.id"() {
      this.form = "";
      this.busy = false;
    },
  },
  computed: {
    late() {
      return this.alert?.due_ms && this.now_ms > this.alert.due_ms;
    },
    left() {
      return this.alert?.due_ms ? elapsed(Math.min(this.now_ms, this.alert.due_ms), Math.max(this.now_ms, this.alert.due_ms)) : "";
    },
    fields() {
      return FORMS[this.form] || [];
    },
    ready() {
      if (NEEDS_TEXT.includes(this.form) && !this.values.text.trim()) return false;
      if (this.form === "assign" && !this.values.to.trim()) return false;
      return this.form !== "resolve" || !!this.values.disposition;
    },
    list_id() {
      return "ze-people-" + (this.alert?.id || "");
    },
  },
  methods: {
    press(verb) {
      if (!FORMS[verb]) return this.send(verb);
      this.form = this.form === verb ? "" : verb;
      this.values = { ...EMPTY, seat: this.alert.seat || "" };
      if (this.form) this.$nextTick(() => this.$refs.form?.querySelector("input, textarea, select")?.focus());
    },
    send(verb) {
      if (this.busy) return;
      this.busy = true;
      setTimeout(() => (this.busy = false), 2500);
      const v = this.values;
      const asks = FORMS[verb] || [];
      const sent = { verb, text: asks.includes("text") ? v.text.trim() : "" };
      if (asks.includes("to")) sent.to = v.to.trim();
      if (asks.includes("due")) sent.due_min = Number(v.due_min);
      if (asks.includes("seat")) sent.seat = v.seat.trim();
      if (asks.includes("disposition")) sent.disposition = v.disposition;
      this.$emit("step", sent);
    },
    span(minutes) {
      if (!minutes) return this.t["handling.until_rule"];
      return minutes < 60 ? `${minutes} ${this.t["handling.min"]}` : `${minutes / 60} ${this.t["handling.hours"]}`;
    },
    blocked(verb) {
      return verb === "close" && this.alert.active;
    },
  },
  template: `
    <section v-if="alert" class="ze-handling" :aria-label="t['handling.heading']" data-testid="handling" :data-handling="alert.handling">
      <header><h4>{{ t['handling.heading'] }}</h4><span class="ze-chip" :class="{ 'is-warning': alert.handling === 'new' }" data-testid="handling-state">{{ alert.handling_label }}</span>
        <span v-if="alert.disposition" class="ze-chip" data-testid="handling-found">{{ alert.disposition }}</span></header>
      <dl class="ze-handling-facts">
        <div><dt>{{ t['handling.owner'] }}</dt><dd data-testid="handling-owner">{{ alert.owner || t['handling.nobody'] }}</dd></div>
        <div v-if="alert.due_ms" :class="{ 'is-late': late }"><dt>{{ t['handling.due'] }}</dt><dd data-testid="handling-due"><ze-sign :name="late ? 'warning' : 'clock'"/>{{ alert.due }} · {{ late ? t['handling.overdue'] : t['handling.left'] }} {{ left }}</dd></div>
        <div v-if="alert.told"><dt>{{ t['handling.told'] }}</dt><dd>{{ alert.told }} {{ alert.told_at }}</dd></div>
        <div v-if="alert.returns"><dt>{{ t['handling.returns'] }}</dt><dd>{{ alert.returns }} ×</dd></div>
        <div v-if="alert.follows"><dt>{{ t['handling.follows'] }}</dt><dd>#{{ alert.follows }}</dd></div>
      </dl>
      <p v-if="alert.urged" class="ze-handling-urged" role="status" data-testid="handling-urged"><ze-sign name="bell"/>{{ t['handling.urged'] }} · {{ t['handling.urged_since'] }} {{ alert.urged_at }}</p>
      <p v-if="alert.latched" class="ze-handling-latched" data-testid="handling-latched"><ze-sign name="lock"/>{{ t['handling.latched'] }}</p>
      <p v-if="alert.note && !alert.open" class="ze-handling-said">{{ alert.note }}</p>
      <blockquote v-if="alert.statement" class="ze-handling-said" data-testid="handling-statement"><b>{{ t['handling.statement'] }}<template v-if="alert.seat"> · {{ alert.seat }}</template></b>{{ alert.statement }}</blockquote>
      <div v-if="alert.verbs.length" class="ze-handling-do">
        <button v-for="verb in alert.verbs" :key="verb" class="ze-button is-small" :class="{ 'is-main': verb === alert.main, 'is-on': form === verb }" type="button"
                :disabled="busy || blocked(verb)" :title="blocked(verb) ? t['handling.cannot_close'] : ''" :aria-expanded="form === verb ? 'true' : 'false'" :data-testid="'handling-' + verb" @click="press(verb)">{{ t['handling.do_' + verb] }}</button>
      </div>
      <form v-if="form" ref="form" class="ze-handling-form" :data-testid="'handling-form-' + form" @submit.prevent="ready && send(form)">
        <label v-if="fields.includes('to')" class="ze-field">{{ t['handling.to'] }}<input v-model="values.to" maxlength="64" :list="list_id" autocomplete="off" required data-testid="handling-to"></label>
        <datalist :id="list_id"><option v-for="name in people" :key="name" :value="name"></option><option v-if="!people.includes(me)" :value="me"></option></datalist>
        <label v-if="fields.includes('disposition')" class="ze-field">{{ t['handling.disposition'] }}<select v-model="values.disposition" required data-testid="handling-disposition"><option value="" disabled>{{ t['handling.choose'] }}</option><option v-for="d in alert.dispositions" :key="d.id" :value="d.id">{{ d.label }}</option></select></label>
        <label v-if="fields.includes('seat') && (form === 'statement' || values.disposition === 'violation')" class="ze-field">{{ t['handling.seat'] }}<input v-model="values.seat" maxlength="40" data-testid="handling-seat"></label>
        <label v-if="fields.includes('due')" class="ze-field">{{ t['handling.until'] }}<select v-model.number="values.due_min" data-testid="handling-due-in"><option v-for="m in dues" :key="m" :value="m">{{ span(m) }}</option></select></label>
        <label class="ze-field is-wide">{{ t['handling.text_' + form] }}<textarea v-model="values.text" rows="2" :maxlength="form === 'statement' ? 2000 : 500" data-testid="handling-text"></textarea></label>
        <footer><button class="ze-button is-small" type="button" @click="form = ''">{{ t['handling.cancel'] }}</button><button class="ze-button is-small is-main" type="submit" :disabled="!ready || busy" data-testid="handling-send">{{ t['handling.do_' + form] }}</button></footer>
      </form>
      <h4>{{ t['handling.history'] }}</h4>
      <p v-if="failed" class="ze-faint" role="alert">{{ t['handling.failed'] }}</p>
      <p v-else-if="loading" class="ze-faint"><span class="ze-spin"></span> {{ t['handling.loading'] }}</p>
      <p v-else-if="!steps.length" class="ze-faint" data-testid="handling-empty">{{ t['handling.empty'] }}</p>
      <ol v-else class="ze-handling-steps" data-testid="handling-steps">
        <li v-for="s in steps" :key="s.number" :data-verb="s.verb"><ze-sign :name="s.sign"/><p><b>{{ s.by }}</b> {{ s.what }} <b v-if="s.to">{{ s.to }}</b><span v-if="s.disposition" class="ze-chip">{{ s.disposition }}</span><span v-if="s.text" class="ze-handling-text">{{ s.text }}</span></p><time>{{ s.at }}</time></li>
      </ol>
    </section>`,
};
