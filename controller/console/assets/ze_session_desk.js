import { Modal, Sign, seal_sign } from "zeroentry-console";

const CHECK_SIGN = { ok: "check", failed: "alarm", unknown: "help" };
const COME_SIGN = { present: "check", late: "clock", overdue: "warning", absent: "cross", expected: "minus" };

export default {
  components: { ZeModal: Modal, ZeSign: Sign },
  props: { t: Object, session: Object, missing: Boolean, may: Boolean, checked: Boolean, check: Array, roster: Object, sweeps: Array, record: Array, options: Object, amendable: Boolean, editable: Boolean },
  emits: ["step", "sweep", "fill", "ask", "decide", "came", "edit", "change"],
  data: () => ({ step: "", form: {}, sweeping: null, seats: null, asking: null, changing: null }),
  computed: {
    open() { return this.check.filter((row) => row.state !== "ok"); },
    demanded() {
      if (this.step === "seal" || this.step === "resume") return this.open;
      if (this.step !== "gather" || !this.sweeps.some((row) => row.needed)) return [];
      return [{ id: "sweep_done", name: this.t["demand.sweep_done"], text: this.t["desk.sweep_needed"] }];
    },
    active() { return this.roster ? this.roster.people.filter((row) => row.active) : []; },
  },
  methods: {
    seal_sign,
    check_sign: (state) => CHECK_SIGN[state],
    come_sign: (state) => COME_SIGN[state],
    begin(step) { this.form = { reason: "", suspension: "overnight", overrides: {} }; this.step = step; },
    go() {
      const overrides = Object.fromEntries(this.demanded.map((row) => [row.id, (this.form.overrides[row.id] || "").trim()]));
      this.$emit("step", { step: this.step, reason: this.form.reason.trim(), suspension: this.step === "suspend" ? this.form.suspension : null, overrides });
      this.step = "";
    },
    edit() {
      const row = (p) => ({ seat: p.seat, role: p.role, expert_code: p.expert_code, organisation: p.organisation, name: "" });
      this.seats = this.active.length ? this.active.map(row) : [this.blank(1)];
    },
    blank(number) { return { seat: String(number), role: "expert", expert_code: "", organisation: "", name: "" }; },
    fill() { this.$emit("fill", this.seats); this.seats = null; },
    begin_ask() { this.asking = { kind: "replaced", seat: this.active[0]?.seat || "", reason: "", role: "expert", expert_code: "", organisation: "", name: "" }; },
    ask() { this.$emit("ask", this.asking); this.asking = null; },
    begin_change() { this.changing = { ...this.session.form, rooms: [...this.session.form.rooms] }; this.$emit("edit"); },
    change() { this.$emit("change", this.changing); this.changing = null; },
    begin_sweep(row) { this.sweeping = { room: row.room, name: row.name, empty: false, phones_cleared: false, papers_cleared: false, note: "" }; },
    sweep() { const { name, ...body } = this.sweeping; this.$emit("sweep", body); this.sweeping = null; },
  },
  template: `
    <section class="ze-desk" data-testid="session-desk">
      <p class="ze-desk-back"><a href="/sessions"><ze-sign name="left"/>{{ t['desk.back'] }}</a></p>
      <p v-if="missing" class="ze-empty" role="alert" data-testid="session-missing"><ze-sign name="calendar"/><b>{{ t['desk.lost'] }}</b></p>
      <p v-else-if="!session" class="ze-empty" role="status"><i class="ze-spin"></i>{{ t['desk.loading'] }}</p>
      <template v-else>
      <header class="ze-panel ze-desk-head" :data-state="session.state">
        <div><h1>{{ session.title }}</h1><p class="ze-faint"><code data-testid="session-code">{{ session.code }}</code> · {{ session.rooms }} · {{ session.starts }} · {{ session.procurement }} · {{ session.sector }} · {{ t['sessions.people'] }} {{ session.admitted }}</p></div>
        <span class="ze-session-state" :class="'is-seal-' + session.state" data-testid="session-state"><ze-sign :name="seal_sign(session.state)"/>{{ session.label }}</span>
        <p v-if="session.why" class="ze-desk-why">{{ session.why }}</p>
        <p v-if="session.state === 'sealed'" class="ze-desk-why" data-testid="seal-confirmed"><ze-sign :name="session.confirmed ? 'check' : 'clock'"/>{{ session.confirmed ? t['desk.confirmed'] : t['desk.unconfirmed'] }}</p>
        <ol v-if="session.state !== 'cancelled'" class="ze-steps" :aria-label="t['desk.steps']"><li v-for="p in session.path" :key="p.id" :class="'is-' + p.status" :aria-current="p.status === 'active' ? 'step' : null"><i><ze-sign :name="seal_sign(p.id)"/></i><span>{{ p.label }}</span><small>{{ p.at }}</small></li></ol>
        <div class="ze-desk-do"><button v-for="(s, i) in session.steps" :key="s" class="ze-button" :class="{ 'is-main': !i && s !== 'cancel', 'is-quiet': s === 'cancel' }" :data-testid="'step-' + s" @click="begin(s)">{{ t['desk.step_' + s] }}</button>
          <button v-if="editable" class="ze-button" data-testid="session-edit" @click="begin_change"><ze-sign name="gear"/>{{ t['desk.edit'] }}</button>
          <a v-if="session.report" class="ze-button is-quiet" :href="session.report" data-testid="desk-report"><ze-sign name="report"/>{{ t['desk.report'] }}</a>
          <a class="ze-button is-quiet" :href="'/evidence?session=' + session.id"><ze-sign name="search"/>{{ t['desk.evidence'] }}</a><a v-if="may && session.outside" class="ze-button is-quiet" :href="session.outside"><ze-sign name="sound"/>{{ t['desk.outside'] }}</a></div>
      </header>
      <div class="ze-desk-grid">
        <section v-if="checked || session.state === 'scheduled'" class="ze-panel" :aria-label="t['desk.check']" data-testid="seal-check"><header class="ze-panel-head"><h2>{{ t['desk.check'] }}</h2><span v-if="checked" class="ze-chip" :class="{ 'is-warning': open.length }" data-testid="check-summary">{{ open.length ? open.length + ' ' + t['desk.not_ready'] : t['desk.ready'] }}</span></header>
          <p v-if="!checked" class="ze-panel-text ze-faint">{{ t['desk.check_later'] }}</p>
          <ul v-else class="ze-demands" aria-live="polite"><li v-for="row in check" :key="row.id" :class="'is-' + row.state" :data-testid="'demand-' + row.id" :data-state="row.state"><ze-sign :name="check_sign(row.state)"/><div><b>{{ row.name }} <em>{{ row.label }}</em></b><p>{{ row.text }}</p><p v-if="row.advice" class="ze-faint">{{ t['desk.todo'] }}{{ row.advice }}</p></div></li></ul></section>
        <section class="ze-panel" :aria-label="t['desk.roster']" data-testid="roster"><header class="ze-panel-head"><h2>{{ t['desk.roster'] }}</h2><button v-if="editable" class="ze-button is-small" data-testid="roster-edit" @click="edit">{{ t['desk.edit_roster'] }}</button></header>
          <template v-if="roster"><p class="ze-panel-text" data-testid="presence"><ze-sign name="camera"/> {{ t['desk.video'] }} <b v-if="roster.seen !== null">{{ roster.seen }} {{ t['desk.of'] }} {{ roster.admitted }}</b><b v-else>{{ t['desk.nobody_counts'] }}</b></p>
          <p v-if="!roster.people.length" class="ze-panel-text ze-faint">{{ t['desk.no_roster'] }}</p>
          <ul v-else class="ze-people"><li v-for="p in roster.people" :key="p.number" :class="{ 'is-gone': !p.active }" :data-testid="'person-' + p.number" :data-attendance="p.attendance"><b>{{ p.seat }}</b><span>{{ p.role_label }}<small>{{ p.expert_code }} {{ p.organisation }}</small></span>
            <span v-if="!p.active" class="ze-chip">{{ p.standing }}</span><span v-else class="ze-come" :class="'is-' + p.attendance"><ze-sign :name="come_sign(p.attendance)"/>{{ p.label }} {{ p.at }}<small v-if="p.late_min">+{{ p.late_min }} {{ t['desk.minutes'] }}</small><small v-if="p.left">{{ t['desk.left'] }} {{ p.left }}</small></span>
            <button v-if="may && p.active && (!p.at || p.left)" class="ze-button is-small" :data-testid="'came-' + p.seat" @click="$emit('came', { seat: p.seat, kind: 'check_in' })">{{ t['desk.check_in'] }}</button><button v-else-if="may && p.active" class="ze-button is-small is-quiet" @click="$emit('came', { seat: p.seat, kind: 'check_out' })">{{ t['desk.check_out'] }}</button></li></ul>
          <div v-if="roster.refused.length" class="ze-panel-text" data-testid="refused-events"><b>{{ t['desk.refused_events'] }}</b><p v-for="r in roster.refused" :key="r.id">{{ r.at }} <code>{{ r.what }}</code></p></div></template></section>
        <section v-if="roster && (amendable || roster.amendments.length)" class="ze-panel" :aria-label="t['desk.amendments']" data-testid="amendments"><header class="ze-panel-head"><h2>{{ t['desk.amendments'] }}</h2><button v-if="amendable" class="ze-button is-small" data-testid="amend" @click="begin_ask">{{ t['desk.ask'] }}</button></header>
          <p v-if="!roster.amendments.length" class="ze-panel-text ze-faint">{{ t['desk.no_amendments'] }}</p>
          <ul class="ze-people is-plain"><li v-for="a in roster.amendments" :key="a.number" :data-testid="'amendment-' + a.number" :data-state="a.state"><b>{{ a.seat }}</b><span>{{ a.kind }} <code v-if="a.code">{{ a.code }}</code><small>{{ a.reason }}</small><small>{{ a.at }} {{ t['desk.asked_by'] }} {{ a.asked_by }}<template v-if="a.decided_by"> · {{ t['desk.decided_by'] }} {{ a.decided_by }} {{ a.note }}</template></small></span><span class="ze-chip" :class="{ 'is-warning': a.open }">{{ a.label }}</span>
            <span v-if="a.open && amendable" class="ze-sl-do"><small v-if="a.own">{{ t['desk.own'] }}</small><template v-else><button class="ze-button is-small" :data-testid="'approve-' + a.number" @click="$emit('decide', { number: a.number, approve: true })">{{ t['desk.approve'] }}</button><button class="ze-button is-small is-quiet" @click="$emit('decide', { number: a.number, approve: false })">{{ t['desk.refuse'] }}</button></template></span></li></ul></section>
        <section class="ze-panel" :aria-label="t['desk.sweep']" data-testid="sweeps"><header class="ze-panel-head"><h2>{{ t['desk.sweep'] }}</h2></header>
          <ul class="ze-people is-plain"><li v-for="s in sweeps" :key="s.room"><span class="ze-sl-what"><b>{{ s.name }}</b><small>{{ s.at }} {{ s.by }}</small></span><span class="ze-chip" :class="{ 'is-warning': s.needed }" :data-testid="'swept-' + s.room">{{ s.label }}</span><button v-if="may" class="ze-button is-small" :data-testid="'sweep-' + s.room" @click="begin_sweep(s)">{{ t['desk.sweep_do'] }}</button></li></ul></section>
        <section class="ze-panel ze-desk-record" :aria-label="t['desk.record']" data-testid="record"><header class="ze-panel-head"><h2>{{ t['desk.record'] }}</h2></header>
          <p v-if="!record.length" class="ze-panel-text ze-faint">{{ t['desk.record_none'] }}</p><ol><li v-for="r in record" :key="r.number" :data-kind="r.kind"><time>{{ r.at }}</time><p>{{ r.text }}<small>{{ t['desk.by'] }} {{ r.by }}</small></p></li></ol></section>
      </div>
      <ze-modal :open="!!step" :label="step ? t['desk.step_' + step] : ''" testid="step-form" @close="step = ''"><form v-if="step" @submit.prevent="go"><h2>{{ t['desk.step_' + step] }}</h2><p class="ze-confirm-what"><b>{{ session.rooms }}</b> {{ session.title }}</p><p>{{ t['desk.ask_' + step] }}</p>
        <label v-if="step === 'suspend'" class="ze-field">{{ t['desk.suspension'] }}<select v-model="form.suspension" data-testid="suspension"><option v-for="o in ['overnight', 'evacuation', 'fault']" :key="o" :value="o">{{ t['desk.' + o] }}</option></select></label>
        <label v-if="step === 'suspend' || step === 'cancel'" class="ze-field">{{ t['desk.reason'] }}<input v-model="form.reason" maxlength="300" :required="step === 'cancel'" data-testid="step-reason"></label>
        <fieldset v-if="demanded.length" class="ze-override" data-testid="overrides"><legend>{{ t['desk.override_head'] }}</legend><label v-for="row in demanded" :key="row.id" class="ze-field">{{ row.name }} — {{ row.text }}<input v-model="form.overrides[row.id]" minlength="2" maxlength="200" required :data-testid="'override-' + row.id"></label></fieldset>
        <footer class="ze-modal-foot"><button type="button" class="ze-button" @click="step = ''">{{ t['desk.no'] }}</button><button class="ze-button is-main" data-testid="step-go">{{ t['desk.go'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!changing" :label="t['desk.edit']" testid="session-change" @close="changing = null"><form v-if="changing" @submit.prevent="change"><h2>{{ t['desk.edit'] }}</h2>
        <label class="ze-field">{{ t['sessions.name'] }}<input v-model.trim="changing.title" maxlength="120" required data-testid="change-title"></label>
        <fieldset class="ze-sl-rooms"><legend>{{ t['sessions.rooms'] }} <small>{{ t['sessions.rooms_hint'] }}</small></legend><label v-for="o in options.rooms" :key="o.id"><input type="checkbox" :value="o.id" v-model="changing.rooms">{{ o.label }}</label></fieldset>
        <div class="ze-sl-two"><label class="ze-field">{{ t['sessions.starts'] }}<input type="datetime-local" v-model="changing.starts" required data-testid="change-starts"></label>
          <label class="ze-field">{{ t['sessions.people'] }}<input type="number" min="1" max="40" v-model.number="changing.admitted" :disabled="active.length > 0" required data-testid="change-admitted"></label>
          <label class="ze-field">{{ t['sessions.procurement'] }}<select v-model="changing.procurement"><option v-for="o in options.procurements" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
          <label class="ze-field">{{ t['sessions.sector'] }}<select v-model="changing.sector"><option v-for="o in options.sectors" :key="o.id" :value="o.id">{{ o.label }}</option></select></label></div>
        <footer class="ze-modal-foot"><button type="button" class="ze-button" @click="changing = null">{{ t['desk.no'] }}</button><button class="ze-button is-main" :disabled="!changing.rooms.length" data-testid="change-save">{{ t['desk.save'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!sweeping" :label="t['desk.sweep_do']" testid="sweep-form" @close="sweeping = null"><form v-if="sweeping" @submit.prevent="sweep"><h2>{{ t['desk.sweep_do'] }} · {{ sweeping.name }}</h2><fieldset class="ze-sl-rooms is-tall"><legend class="ze-hidden">{{ t['desk.sweep'] }}</legend><label><input type="checkbox" v-model="sweeping.empty" data-testid="sweep-empty">{{ t['desk.empty'] }}</label><label><input type="checkbox" v-model="sweeping.phones_cleared" data-testid="sweep-phones">{{ t['desk.phones'] }}</label><label><input type="checkbox" v-model="sweeping.papers_cleared" data-testid="sweep-papers">{{ t['desk.papers'] }}</label></fieldset><label class="ze-field">{{ t['desk.note'] }}<input v-model="sweeping.note" maxlength="300"></label><footer class="ze-modal-foot"><button type="button" class="ze-button" @click="sweeping = null">{{ t['desk.no'] }}</button><button class="ze-button is-main" data-testid="sweep-go">{{ t['desk.save'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!seats" :label="t['desk.edit_roster']" testid="roster-form" @close="seats = null"><form v-if="seats" @submit.prevent="fill"><h2>{{ t['desk.edit_roster'] }}</h2><div v-for="(s, i) in seats" :key="i" class="ze-seat"><label class="ze-field">{{ t['desk.seat'] }}<input v-model.trim="s.seat" maxlength="16" required :data-testid="'seat-' + i"></label><label class="ze-field">{{ t['desk.role'] }}<select v-model="s.role"><option v-for="o in options.roles" :key="o.id" :value="o.id">{{ o.label }}</option></select></label><label class="ze-field">{{ t['desk.expert_code'] }}<input v-model.trim="s.expert_code" maxlength="32" :data-testid="'code-' + i"></label><label class="ze-field">{{ t['desk.organisation'] }}<input v-model.trim="s.organisation" maxlength="32"></label><label class="ze-field">{{ t['desk.name'] }}<input v-model.trim="s.name" maxlength="60" autocomplete="off"></label><button type="button" class="ze-button is-square" :aria-label="t['desk.remove']" @click="seats.splice(i, 1)"><ze-sign name="cross"/></button></div><footer class="ze-modal-foot"><button type="button" class="ze-button" data-testid="seat-add" :disabled="seats.length >= 40" @click="seats.push(blank(seats.length + 1))"><ze-sign name="plus"/>{{ t['desk.add_seat'] }}</button><button type="button" class="ze-button" @click="seats = null">{{ t['desk.no'] }}</button><button class="ze-button is-main" data-testid="roster-save">{{ t['desk.save'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!asking" :label="t['desk.ask']" testid="amend-form" @close="asking = null"><form v-if="asking" @submit.prevent="ask"><h2>{{ t['desk.ask'] }}</h2><p>{{ t['desk.ask_text'] }}</p><div class="ze-sl-two"><label class="ze-field">{{ t['desk.kind'] }}<select v-model="asking.kind" data-testid="amend-kind"><option v-for="k in ['replaced', 'recused', 'added']" :key="k" :value="k">{{ t['desk.kind_' + k] }}</option></select></label><label class="ze-field">{{ t['desk.seat'] }}<input v-model.trim="asking.seat" maxlength="16" required data-testid="amend-seat"></label><template v-if="asking.kind !== 'recused'"><label class="ze-field">{{ t['desk.role'] }}<select v-model="asking.role"><option v-for="o in options.roles" :key="o.id" :value="o.id">{{ o.label }}</option></select></label><label class="ze-field">{{ t['desk.expert_code'] }}<input v-model.trim="asking.expert_code" maxlength="32" data-testid="amend-code"></label><label class="ze-field">{{ t['desk.organisation'] }}<input v-model.trim="asking.organisation" maxlength="32"></label><label class="ze-field">{{ t['desk.name'] }}<input v-model.trim="asking.name" maxlength="60" autocomplete="off"></label></template></div><label class="ze-field">{{ t['desk.reason'] }}<input v-model.trim="asking.reason" maxlength="300" required data-testid="amend-reason"></label><footer class="ze-modal-foot"><button type="button" class="ze-button" @click="asking = null">{{ t['desk.no'] }}</button><button class="ze-button is-main" data-testid="amend-go">{{ t['desk.ask'] }}</button></footer></form></ze-modal>
      </template>
    </section>`,
};
