import { Modal, Sign } from "zeroentry-console";

const clone = (value) => JSON.parse(JSON.stringify(value));
const split = (text) => String(text).split(/[,，;；\s]+/).filter(Boolean);

export default {
  components: { ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, now: Object, week: Array, weeks: Number, escalation: Object, rules: Object, rules_problem: String, roster: Object, revision: Number, may_edit: Boolean, may_hand_over: Boolean, loading: Boolean, failed: Boolean, saved: Number, problem: String },
  emits: ["week", "save", "handover", "again", "rules_open", "rules"],
  data: () => ({ draft: null, ruling: null, giving: false, handover: { to: "", text: "" } }),
  watch: {
    saved() {
      this.draft = null;
      this.ruling = null;
      this.giving = false;
    },
  },
  methods: {
    begin_rules() {
      this.ruling = clone(this.rules);
      for (const one of ["alarm", "warning", "notice"]) this.ruling[one].after_min = [0, 1, 2].map((at) => this.rules[one].after_min[at] ?? "");
      this.$emit("rules_open");
    },
    set_rules() {
      const given = clone(this.ruling);
      for (const one of ["alarm", "warning", "notice"]) given[one].after_min = given[one].after_min.filter((at) => at !== "" && at !== null);
      this.$emit("rules", given);
    },
    edit() {
      const roster = clone(this.roster);
      this.draft = {
        people: roster.people.map((p) => ({ ...p, channels: p.channels.join(", ") })),
        weekly: roster.weekly.map((s) => ({ ...s, people: s.people.join(", ") })),
        exceptions: roster.exceptions.map((e) => ({ ...e, start: e.shifts[0]?.start || "08:00", end: e.shifts[0]?.end || "20:00", people: (e.shifts[0]?.people || []).join(", "), closed: !e.shifts.length, rest: e.shifts.slice(1) })),
      };
    },
    save() {
      const d = this.draft;
      this.$emit("save", {
        people: d.people.map((p) => ({ ...p, username: p.username.trim(), channels: split(p.channels) })),
        weekly: d.weekly.map((s) => ({ ...s, weekdays: [...s.weekdays].sort(), people: split(s.people) })),
        exceptions: d.exceptions.map((e) => ({ date: e.date, level: e.level, note: e.note, shifts: e.closed ? [] : [{ start: e.start, end: e.end, people: split(e.people) }, ...e.rest] })),
      });
    },
    add_person() {
      this.draft.people.push({ username: "", name: "", level: 1, language: "zh-CN", channels: "" });
    },
    add_shift() {
      this.draft.weekly.push({ id: "shift-" + (this.draft.weekly.length + 1), level: 1, weekdays: [0, 1, 2, 3, 4, 5, 6], start: "08:00", end: "20:00", people: "" });
    },
    add_exception() {
      this.draft.exceptions.push({ date: new Date().toISOString().slice(0, 10), level: 1, note: "", start: "08:00", end: "20:00", people: "", closed: false, rest: [] });
    },
    toggle(shift, day) {
      shift.weekdays = shift.weekdays.includes(day) ? shift.weekdays.filter((one) => one !== day) : [...shift.weekdays, day];
    },
  },
  template: `
    <div class="ze-duty-board" data-testid="duty">
      <header class="ze-list-head"><h1>{{ t['duty.title'] }}</h1></header>
      <p v-if="loading" class="ze-empty"><span class="ze-spin"></span>{{ t['duty.loading'] }}</p>
      <div v-else-if="failed" class="ze-empty" role="alert"><ze-sign name="warning"/><b>{{ t['duty.failed'] }}</b><button class="ze-button is-small" @click="$emit('again')">{{ t['duty.try_again'] }}</button></div>
      <template v-else-if="now">
        <ul v-if="now.warnings.length" class="ze-duty-warnings" role="status" :aria-label="t['duty.warnings']" data-testid="duty-warnings"><li v-for="w in now.warnings" :key="w"><ze-sign name="warning"/>{{ w }}</li></ul>
        <section class="ze-panel ze-duty-now" :aria-label="t['duty.now']"><header class="ze-panel-head"><h2>{{ t['duty.now'] }}</h2>
            <button v-if="may_hand_over" class="ze-button is-small" data-testid="handover-open" @click="giving = true">{{ t['duty.handover'] }}</button></header>
          <div class="ze-duty-levels"><div v-for="l in now.levels" :key="l.level" :data-testid="'level-' + l.level"><small>{{ l.label }}</small><b :class="{ 'is-nobody': !l.people.length }">{{ l.people.join('、') || t['duty.nobody'] }}</b><span v-if="l.people.length" class="ze-faint">{{ l.until ? t['duty.until'] + ' ' + l.until : t['duty.on_call'] }}</span></div></div>
          <p v-if="now.handover" class="ze-duty-last" data-testid="handover-last"><span class="ze-faint">{{ t['duty.last'] }} {{ now.handover.at }}</span> {{ now.handover.by }} → <b>{{ now.handover.to }}</b> · {{ now.handover.open }} {{ t['duty.open_alerts'] }}<span v-if="now.handover.text" class="ze-handling-text">{{ now.handover.text }}</span></p>
        </section>
        <section class="ze-panel" :aria-label="t['duty.week']"><header class="ze-panel-head"><h2>{{ t['duty.week'] }}</h2><span class="ze-faint">{{ t['duty.revision'] }} {{ revision }}</span>
            <button v-if="may_edit && roster" class="ze-button is-small" data-testid="roster-edit" @click="edit">{{ t['duty.edit'] }}</button></header>
          <div class="ze-duty-turn"><button class="ze-button is-small" :aria-label="t['duty.earlier']" data-testid="week-earlier" @click="$emit('week', -1)"><ze-sign name="left"/></button><button class="ze-button is-small" :disabled="!weeks" data-testid="week-today" @click="$emit('week', 0)">{{ t['duty.today'] }}</button><button class="ze-button is-small" :aria-label="t['duty.later']" data-testid="week-later" @click="$emit('week', 1)"><ze-sign name="right"/></button></div>
          <ol class="ze-duty-week" data-testid="duty-week"><li v-for="d in week" :key="d.id" :class="{ 'is-today': d.today }" :aria-current="d.today ? 'date' : null" :data-testid="'day-' + d.id"><h3>{{ d.label }}<span v-if="d.today" class="ze-chip">{{ t['duty.today'] }}</span></h3>
            <p v-for="(r, i) in d.rows" :key="i" :class="{ 'is-exception': r.exception, 'is-gap': r.gap }"><b><ze-sign v-if="r.gap" name="warning"/>{{ r.gap ? t['duty.gap'] : r.people.join('、') || t['duty.nobody'] }}</b><span>{{ r.time }}</span><small>{{ r.level }}</small></p>
            <p v-if="!d.rows.length" class="ze-faint">–</p></li></ol>
        </section>
        <section v-if="escalation" class="ze-panel" :aria-label="t['duty.escalation']" data-testid="escalation"><header class="ze-panel-head"><h2>{{ t['duty.escalation'] }}</h2><button v-if="may_edit && rules" class="ze-button is-small" data-testid="rules-edit" @click="begin_rules">{{ t['duty.edit_rules'] }}</button></header><p class="ze-panel-text ze-faint">{{ t['duty.escalation_text'] }}</p>
          <ul class="ze-duty-rules"><li v-for="r in escalation.rows" :key="r.severity"><span class="ze-severity" :class="'is-' + r.severity"><ze-sign :name="r.severity"/>{{ r.label }}</span>
            <p><template v-if="!r.levels.length">{{ t['duty.never'] }}</template><template v-for="(l, i) in r.levels" :key="l.label"><template v-if="i"> → </template><b>{{ l.label }}</b> {{ l.when }}</template><span v-if="r.repeat" class="ze-faint"> · {{ r.repeat }}</span></p><small class="ze-faint">{{ t['duty.resolve_in'] }} {{ r.resolve }}</small></li></ul>
          <p v-if="escalation.quiet.length" class="ze-panel-text"><span class="ze-faint">{{ t['duty.quiet'] }}</span> {{ escalation.quiet.join(' · ') }}</p></section>
      </template>
      <ze-modal :open="giving" :label="t['duty.handover']" testid="handover" @close="giving = false"><form @submit.prevent="handover.to.trim() && $emit('handover', { to: handover.to.trim(), text: handover.text.trim() })"><h2>{{ t['duty.handover'] }}</h2>
        <label class="ze-field">{{ t['duty.handover_to'] }}<input v-model="handover.to" required maxlength="64" list="ze-duty-people" data-testid="handover-to"></label><datalist id="ze-duty-people"><option v-for="p in (roster ? roster.people : [])" :key="p.username" :value="p.username">{{ p.name }}</option></datalist>
        <label class="ze-field">{{ t['duty.handover_text'] }}<textarea v-model="handover.text" rows="4" maxlength="500" data-testid="handover-text"></textarea></label>
        <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="giving = false">{{ t['duty.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="handover-send">{{ t['duty.handover_done'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!ruling" wide :label="t['duty.edit_rules']" testid="rules" @close="ruling = null"><form v-if="ruling" class="ze-duty-edit" @submit.prevent="set_rules"><h2>{{ t['duty.edit_rules'] }}</h2><p class="ze-faint">{{ t['duty.rules_text'] }}</p>
        <fieldset v-for="one in ['alarm', 'warning', 'notice']" :key="one" class="ze-duty-row"><legend>{{ t['severity.' + one] }}</legend>
          <label v-for="l in [0, 1, 2]" :key="l" class="ze-field">{{ t['duty.level' + (l + 1)] }}<input v-model.number="ruling[one].after_min[l]" type="number" min="0" max="1440" :data-testid="'after-' + one + '-' + l"></label>
          <label class="ze-field">{{ t['duty.repeat_min'] }}<input v-model.number="ruling[one].repeat_min" type="number" min="1" max="1440" required></label><label class="ze-field">{{ t['duty.repeats_max'] }}<input v-model.number="ruling[one].repeats_max" type="number" min="0" max="50" required></label>
          <label class="ze-field">{{ t['duty.resolve_min'] }}<input v-model.number="ruling[one].resolve_min" type="number" min="0" max="43200" required></label></fieldset>
        <h3>{{ t['duty.quiet'] }}</h3><div v-for="(q, i) in ruling.quiet" :key="'q' + i" class="ze-duty-row"><label class="ze-field">{{ t['duty.start'] }}<input v-model="q.start" type="time" required></label><label class="ze-field">{{ t['duty.end'] }}<input v-model="q.end" type="time" required></label>
          <label v-for="one in ['warning', 'notice']" :key="one" class="ze-duty-check"><input v-model="q.severities" type="checkbox" :value="one">{{ t['severity.' + one] }}</label><button class="ze-button is-square" type="button" :aria-label="t['duty.drop']" @click="ruling.quiet.splice(i, 1)"><ze-sign name="minus"/></button></div>
        <button class="ze-button is-small" type="button" :disabled="ruling.quiet.length >= 8" @click="ruling.quiet.push({ start: '22:00', end: '07:00', severities: ['notice'] })"><ze-sign name="plus"/>{{ t['duty.add_quiet'] }}</button>
        <p v-if="rules_problem" class="ze-duty-problem" role="alert" data-testid="rules-problem"><ze-sign name="warning"/>{{ rules_problem }}</p>
        <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="ruling = null">{{ t['duty.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="rules-save">{{ t['duty.save'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!draft" wide :label="t['duty.edit']" testid="roster" @close="draft = null"><form v-if="draft" class="ze-duty-edit" @submit.prevent="save"><h2>{{ t['duty.edit'] }}</h2><p class="ze-faint">{{ t['duty.edit_text'] }}</p>
        <h3>{{ t['duty.people'] }}</h3><div v-for="(p, i) in draft.people" :key="'p' + i" class="ze-duty-row">
          <label class="ze-field">{{ t['duty.account'] }}<input v-model="p.username" required maxlength="64" :data-testid="'person-' + i"></label><label class="ze-field">{{ t['duty.person_name'] }}<input v-model="p.name" maxlength="40"></label>
          <label class="ze-field">{{ t['duty.level'] }}<select v-model.number="p.level"><option v-for="l in [1, 2, 3]" :key="l" :value="l">{{ t['duty.level' + l] }}</option></select></label><label class="ze-field">{{ t['duty.language'] }}<select v-model="p.language"><option value="zh-CN">{{ t['duty.zh'] }}</option><option value="en">{{ t['duty.en'] }}</option></select></label>
          <label class="ze-field">{{ t['duty.person_channels'] }}<input v-model="p.channels" maxlength="210" :data-testid="'person-channels-' + i"></label><button class="ze-button is-square" type="button" :aria-label="t['duty.drop']" @click="draft.people.splice(i, 1)"><ze-sign name="minus"/></button></div>
        <button class="ze-button is-small" type="button" data-testid="add-person" @click="add_person"><ze-sign name="plus"/>{{ t['duty.add_person'] }}</button>
        <h3>{{ t['duty.shifts'] }}</h3><div v-for="(s, i) in draft.weekly" :key="'s' + i" class="ze-duty-row">
          <label class="ze-field">{{ t['duty.shift'] }}<input v-model="s.id" required maxlength="40" pattern="[a-z0-9]([a-z0-9\\-]{0,38}[a-z0-9])?"></label><label class="ze-field">{{ t['duty.level'] }}<select v-model.number="s.level"><option v-for="l in [1, 2, 3]" :key="l" :value="l">{{ t['duty.level' + l] }}</option></select></label>
          <fieldset class="ze-duty-days"><legend>{{ t['duty.days'] }}</legend><button v-for="d in [0, 1, 2, 3, 4, 5, 6]" :key="d" type="button" :aria-pressed="s.weekdays.includes(d) ? 'true' : 'false'" :class="{ 'is-on': s.weekdays.includes(d) }" @click="toggle(s, d)">{{ t['duty.weekday' + d] }}</button></fieldset>
          <label class="ze-field">{{ t['duty.start'] }}<input v-model="s.start" type="time" required></label><label class="ze-field">{{ t['duty.end'] }}<input v-model="s.end" type="time" required></label>
          <label class="ze-field">{{ t['duty.shift_people'] }}<input v-model="s.people" maxlength="600" :data-testid="'shift-people-' + i"></label><button class="ze-button is-square" type="button" :aria-label="t['duty.drop']" @click="draft.weekly.splice(i, 1)"><ze-sign name="minus"/></button></div>
        <button class="ze-button is-small" type="button" data-testid="add-shift" @click="add_shift"><ze-sign name="plus"/>{{ t['duty.add_shift'] }}</button>
        <h3>{{ t['duty.exceptions'] }}</h3><div v-for="(e, i) in draft.exceptions" :key="'e' + i" class="ze-duty-row">
          <label class="ze-field">{{ t['duty.date'] }}<input v-model="e.date" type="date" required></label><label class="ze-field">{{ t['duty.level'] }}<select v-model.number="e.level"><option v-for="l in [1, 2, 3]" :key="l" :value="l">{{ t['duty.level' + l] }}</option></select></label>
          <label class="ze-duty-check"><input v-model="e.closed" type="checkbox">{{ t['duty.closed'] }}</label>
          <template v-if="!e.closed"><label class="ze-field">{{ t['duty.start'] }}<input v-model="e.start" type="time" required></label><label class="ze-field">{{ t['duty.end'] }}<input v-model="e.end" type="time" required></label><label class="ze-field">{{ t['duty.shift_people'] }}<input v-model="e.people" maxlength="600"></label></template>
          <button class="ze-button is-square" type="button" :aria-label="t['duty.drop']" @click="draft.exceptions.splice(i, 1)"><ze-sign name="minus"/></button></div>
        <button class="ze-button is-small" type="button" @click="add_exception"><ze-sign name="plus"/>{{ t['duty.add_exception'] }}</button>
        <p v-if="problem" class="ze-duty-problem" role="alert" data-testid="roster-problem"><ze-sign name="warning"/>{{ problem }}</p>
        <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="draft = null">{{ t['duty.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="roster-save">{{ t['duty.save'] }}</button></footer></form></ze-modal>
    </div>`,
};
