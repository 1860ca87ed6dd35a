import { Modal, Sign } from "zeroentry-console";

const EDITING = () => ({ username: "", roles: [], rooms_all: true, rooms: [], sectors_all: true, sectors: [], picture: true, sound: true, room_id: "", version: 0 });

export default {
  components: { ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, tab: String, tabs: Array, me: String, may: Object, accounts: Array, roles: Array, rooms: Array, sectors: Array, link: Object, tokens: Array, glasses: Array, lines: Array, more: Boolean, security: Array, problem: String, loading: Boolean, failed: Boolean, busy: Boolean, sent: Number, search: Object, log: Object },
  emits: ["tab", "make", "step", "rights", "link", "hide", "revoke", "glass", "glass-step", "find", "older", "export", "retry"],
  data: () => ({ making: false, fresh: "", editing: null, edit: EDITING(), asked: null, glass: { room_id: "", reason: "", minutes: 15, picture: true, sound: false }, by: "", what: "", subject: "", day: "", seek: "" }),
  watch: {
    sent() {
      this.making = false; this.editing = null; this.asked = null; this.fresh = ""; this.glass.reason = "";
    },
  },
  computed: {
    shown() {
      const seek = this.seek.trim().toLowerCase();
      return seek ? this.accounts.filter((row) => (row.username + " " + row.role_names).toLowerCase().includes(seek)) : this.accounts;
    },
  },
  methods: {
    open(row) {
      this.editing = row;
      const g = row.grants;
      this.edit = { username: row.username, roles: [...row.roles], rooms_all: g.rooms === null, rooms: [...(g.rooms || [])], sectors_all: g.sectors === null, sectors: [...(g.sectors || [])], picture: g.picture, sound: g.sound, room_id: row.room_id, version: row.version };
    },
    save() {
      const e = this.edit;
      this.$emit("rights", { username: e.username, version: e.version, roles: e.roles, room_id: e.room_id, rooms: e.rooms_all ? null : e.rooms, sectors: e.sectors_all ? null : e.sectors, picture: e.picture, sound: e.sound });
    },
    find() { this.$emit("find", { by: this.by.trim(), what: this.what.trim(), subject: this.subject.trim(), day: this.day }); },
    copy: (text) => navigator.clipboard && navigator.clipboard.writeText(text),
  },
  template: `
    <div class="ze-settings" data-testid="settings" :data-tab="tab">
      <header class="ze-account-head"><h1>{{ t['settings.title'] }}</h1></header>
      <nav class="ze-settings-tabs" role="tablist" :aria-label="t['settings.title']"><button v-for="one in tabs" :key="one" role="tab" :aria-selected="one === tab ? 'true' : 'false'" :class="{ 'is-on': one === tab }" :data-testid="'tab-' + one" @click="$emit('tab', one)">{{ t['settings.tab_' + one] }}</button></nav>
      <p v-if="problem" class="ze-banner is-problem" role="alert" data-testid="settings-problem"><ze-sign name="warning"/>{{ problem }}</p>
      <div v-if="link" class="ze-once" role="status" data-testid="link-given"><b>{{ t[link.kind === 'token' ? 'account.token_once' : 'settings.link_once'] }} {{ link.username }}</b><code>{{ link.text }}</code><small>{{ t['account.until'] }} {{ link.until }}</small><button class="ze-button is-small" @click="copy(link.text)">{{ t['account.copy'] }}</button><button class="ze-button is-small" data-testid="link-kept" @click="$emit('hide')">{{ t['account.kept'] }}</button></div>
      <p v-if="loading" class="ze-empty" role="status">{{ t['state.loading'] }}</p>
      <p v-else-if="failed" class="ze-empty"><ze-sign name="link_off"/>{{ t['problem.lost'] }} <button class="ze-button is-small" @click="$emit('retry')">{{ t['account.retry'] }}</button></p>

      <section v-else-if="tab === 'accounts'" class="ze-panel ze-account-card" role="tabpanel">
        <header class="ze-row"><label class="ze-field is-seek">{{ t['settings.seek'] }}<input v-model="seek" type="search" data-testid="seek"></label><button v-if="may.make" class="ze-button is-main" data-testid="account-new" @click="making = true"><ze-sign name="person_add"/>{{ t['settings.new'] }}</button></header>
        <p v-if="!shown.length" class="ze-empty is-slim"><ze-sign name="person"/>{{ t['settings.no_accounts'] }}</p>
        <ul class="ze-rows"><li v-for="row in shown" :key="row.username" :data-testid="'account-' + row.username" :class="{ 'is-off': row.disabled }">
          <span><b>{{ row.username }}</b><small>{{ row.role_names || t['settings.no_roles'] }}</small><small>{{ row.grant_names }}</small><small>{{ t['settings.last_login'] }} {{ row.login || '—' }}</small></span>
          <span class="ze-chips"><span v-if="row.disabled" class="ze-chip is-alarm"><ze-sign name="cross"/>{{ t['settings.disabled'] }}</span><span v-if="row.locked" class="ze-chip is-warning"><ze-sign name="lock"/>{{ t['settings.locked'] }}</span><span v-if="row.second_factor" class="ze-chip"><ze-sign name="key"/>{{ t['settings.factor'] }}</span><span v-if="!row.password_set && !row.external" class="ze-chip is-warning"><ze-sign name="clock"/>{{ t['settings.waiting'] }}</span><span v-if="row.external" class="ze-chip"><ze-sign name="globe"/>{{ t['settings.external'] }}</span></span>
          <span class="ze-row-do">
            <button v-if="may.rights" class="ze-button is-small" :disabled="row.username === me" :data-testid="'rights-' + row.username" @click="open(row)">{{ t['settings.rights'] }}</button>
            <button v-if="may.rights && row.locked" class="ze-button is-small" :data-testid="'unlock-' + row.username" @click="$emit('step', { username: row.username, step: 'unlock' })">{{ t['settings.unlock'] }}</button>
            <button v-if="may.rights && row.second_factor && row.username !== me" class="ze-button is-small" @click="asked = { row, step: 'reset-second-factor' }">{{ t['settings.reset'] }}</button>
            <button v-if="may.make && !row.disabled && !row.external" class="ze-button is-small" :data-testid="'link-' + row.username" @click="$emit('link', row.username)">{{ t['settings.link'] }}</button>
            <button v-if="may.make && row.username !== me" class="ze-button is-small" :data-testid="(row.disabled ? 'enable-' : 'disable-') + row.username" @click="row.disabled ? $emit('step', { username: row.username, step: 'enable' }) : asked = { row, step: 'disable' }">{{ t[row.disabled ? 'settings.enable' : 'settings.disable'] }}</button></span></li></ul>
      </section>

      <section v-else-if="tab === 'tokens'" class="ze-panel ze-account-card" role="tabpanel"><p class="ze-faint">{{ t['settings.tokens_lead'] }}</p><p v-if="!tokens.length" class="ze-empty is-slim"><ze-sign name="key"/>{{ t['account.no_tokens'] }}</p>
        <ul class="ze-rows"><li v-for="row in tokens" :key="row.id"><span><b>{{ row.name }}</b><small>{{ row.username }} · {{ row.scopes }}</small><small>{{ t['account.until'] }} {{ row.until }} · {{ t['account.used'] }} {{ row.used || '—' }}</small></span><button class="ze-button is-small" @click="$emit('revoke', row.id)">{{ t['account.revoke'] }}</button></li></ul></section>

      <section v-else-if="tab === 'glass'" class="ze-panel ze-account-card" role="tabpanel"><p class="ze-faint">{{ t['glass.lead'] }}</p>
        <form v-if="may.ask_glass" class="ze-glass-form" @submit.prevent="glass.room_id && glass.reason.length > 3 && $emit('glass', glass)"><label class="ze-field">{{ t['glass.room'] }}<select v-model="glass.room_id" data-testid="glass-room"><option v-for="room in rooms" :key="room.id" :value="room.id">{{ room.name }}{{ room.sealed ? ' · ' + t['glass.sealed'] : '' }}</option></select></label>
          <label class="ze-field">{{ t['glass.minutes'] }}<input v-model.number="glass.minutes" type="number" min="1" max="240"></label>
          <label class="ze-field is-long">{{ t['glass.reason'] }}<input v-model="glass.reason" maxlength="300" data-testid="glass-reason"></label>
          <label class="ze-check"><input v-model="glass.picture" type="checkbox"><span>{{ t['settings.picture'] }}</span></label><label class="ze-check"><input v-model="glass.sound" type="checkbox"><span>{{ t['settings.sound'] }}</span></label>
          <button class="ze-button is-main" :disabled="busy || !glass.room_id || glass.reason.length < 4" data-testid="glass-ask">{{ t['glass.ask'] }}</button></form>
        <p v-if="!glasses.length" class="ze-empty is-slim"><ze-sign name="lock"/>{{ t['glass.none'] }}</p>
        <ul class="ze-rows"><li v-for="row in glasses" :key="row.id" :data-testid="'glass-' + row.id" :data-state="row.state"><span><b>{{ row.room }} · {{ row.what }} · {{ row.minutes }} {{ t['glass.min'] }}</b><small>{{ row.asked_by }} {{ row.asked }}: {{ row.reason }}</small><small v-if="row.decided_by">{{ t['glass.by'] }} {{ row.decided_by }}<template v-if="row.until"> · {{ t['account.until'] }} {{ row.until }}</template> · {{ t['glass.used'] }} {{ row.used }}</small></span>
          <span class="ze-chip" :class="{ 'is-warning': row.state === 'asked', 'is-alarm': row.state === 'open' }"><ze-sign :name="row.state === 'open' ? 'unlock' : row.state === 'asked' ? 'clock' : 'lock'"/>{{ t['glass.state_' + row.state] }}</span>
          <span class="ze-row-do"><template v-if="row.state === 'asked' && may.approve_glass && row.asked_by !== me"><button class="ze-button is-small is-main" :data-testid="'approve-' + row.id" @click="$emit('glass-step', { id: row.id, step: 'approve' })">{{ t['glass.approve'] }}</button><button class="ze-button is-small" @click="$emit('glass-step', { id: row.id, step: 'refuse' })">{{ t['glass.refuse'] }}</button></template>
            <button v-if="row.state === 'open' || (row.state === 'asked' && row.asked_by === me)" class="ze-button is-small" @click="$emit('glass-step', { id: row.id, step: 'end' })">{{ t['glass.end'] }}</button></span></li></ul></section>

      <section v-else-if="tab === 'audit'" class="ze-panel ze-account-card" role="tabpanel">
        <form class="ze-audit-form" @submit.prevent="find"><label class="ze-field">{{ t['audit.by'] }}<input v-model="by" maxlength="80" data-testid="audit-by"></label><label class="ze-field">{{ t['audit.what'] }}<input v-model="what" maxlength="80" data-testid="audit-what"></label><label class="ze-field">{{ t['audit.subject'] }}<input v-model="subject" maxlength="80"></label><label class="ze-field">{{ t['audit.until_day'] }}<input v-model="day" type="date"></label><button class="ze-button is-main" data-testid="audit-find"><ze-sign name="search"/>{{ t['audit.find'] }}</button>
          <button class="ze-button" type="button" data-testid="audit-jsonl" @click="$emit('export', 'jsonl')">{{ t['audit.jsonl'] }}</button><button class="ze-button" type="button" @click="$emit('export', 'csv')">{{ t['audit.csv'] }}</button></form>
        <p v-if="log" class="ze-faint" data-testid="audit-state"><ze-sign :name="log.writable ? 'check' : 'warning'"/>{{ log.text }}</p>
        <p v-if="!lines.length" class="ze-empty is-slim"><ze-sign name="search"/>{{ t['audit.none'] }}</p>
        <div v-else class="ze-audit-scroll" tabindex="0" role="region" :aria-label="t['settings.tab_audit']"><table class="ze-audit" data-testid="audit-lines"><thead><tr><th>{{ t['audit.seq'] }}</th><th>{{ t['audit.time'] }}</th><th>{{ t['audit.by'] }}</th><th>{{ t['audit.what'] }}</th><th>{{ t['audit.subject'] }}</th><th>{{ t['audit.status'] }}</th><th>{{ t['audit.address'] }}</th></tr></thead>
          <tbody><tr v-for="row in lines" :key="row.seq"><td>{{ row.seq }}</td><td>{{ row.time }}</td><td>{{ row.by }}</td><td><b>{{ row.what }}</b><small v-if="row.note">{{ row.note }}</small></td><td>{{ row.subject }}</td><td><span class="ze-status" :class="row.bad ? 'is-bad' : ''"><ze-sign :name="row.bad ? 'cross' : 'check'"/>{{ row.status }}</span></td><td>{{ row.address }}</td></tr></tbody></table></div>
        <button v-if="more" class="ze-button" data-testid="audit-more" @click="$emit('older')">{{ t['audit.older'] }}</button></section>

      <section v-else-if="tab === 'security'" class="ze-panel ze-account-card" role="tabpanel"><dl class="ze-facts"><template v-for="row in security" :key="row.label"><dt>{{ row.label }}</dt><dd>{{ row.value }}</dd></template></dl><p class="ze-faint">{{ t['settings.security_lead'] }}</p></section>

      <ze-modal :open="making" :label="t['settings.new']" testid="account-form" @close="making = false"><form @submit.prevent="fresh && $emit('make', fresh)"><h2>{{ t['settings.new'] }}</h2><label class="ze-field">{{ t['login.username'] }}<input v-model="fresh" maxlength="64" autocapitalize="off" spellcheck="false" required data-testid="new-name"></label><p class="ze-faint">{{ t['settings.new_lead'] }}</p>
        <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="making = false">{{ t['session.cancel'] }}</button><button class="ze-button is-main" :disabled="!fresh || busy" data-testid="new-make">{{ t['settings.make'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!editing" :label="t['settings.rights']" testid="rights-form" @close="editing = null"><form v-if="editing" @submit.prevent="save"><h2>{{ t['settings.rights'] }} · {{ editing.username }}</h2>
        <fieldset class="ze-checks"><legend>{{ t['settings.roles'] }}</legend><label v-for="role in roles" :key="role.id" class="ze-check"><input v-model="edit.roles" type="checkbox" :value="role.id" :data-testid="'role-' + role.id"><span>{{ role.name }}</span></label></fieldset>
        <label v-if="edit.roles.includes('tablet')" class="ze-field">{{ t['settings.tablet_room'] }}<select v-model="edit.room_id"><option value="">—</option><option v-for="room in rooms" :key="room.id" :value="room.id">{{ room.name }}</option></select></label>
        <fieldset class="ze-checks"><legend>{{ t['settings.rooms'] }}</legend><label class="ze-check"><input v-model="edit.rooms_all" type="checkbox" data-testid="rooms-all"><span>{{ t['settings.all'] }}</span></label><template v-if="!edit.rooms_all"><label v-for="room in rooms" :key="room.id" class="ze-check"><input v-model="edit.rooms" type="checkbox" :value="room.id" :data-testid="'room-' + room.id"><span>{{ room.name }}</span></label></template></fieldset>
        <fieldset class="ze-checks"><legend>{{ t['settings.sectors'] }}</legend><label class="ze-check"><input v-model="edit.sectors_all" type="checkbox"><span>{{ t['settings.all'] }}</span></label><template v-if="!edit.sectors_all"><label v-for="one in sectors" :key="one.id" class="ze-check"><input v-model="edit.sectors" type="checkbox" :value="one.id"><span>{{ one.name }}</span></label></template></fieldset>
        <fieldset class="ze-checks"><legend>{{ t['settings.media'] }}</legend><label class="ze-check"><input v-model="edit.picture" type="checkbox"><span>{{ t['settings.picture'] }}</span></label><label class="ze-check"><input v-model="edit.sound" type="checkbox"><span>{{ t['settings.sound'] }}</span></label></fieldset>
        <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="editing = null">{{ t['session.cancel'] }}</button><button class="ze-button is-main" :disabled="busy" data-testid="rights-save">{{ t['settings.save'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!asked" :label="t['settings.sure']" testid="sure" @close="asked = null"><template v-if="asked"><h2>{{ t['settings.sure'] }}</h2><p><b>{{ asked.row.username }}</b> · {{ t['settings.sure_' + asked.step] }}</p><footer class="ze-modal-foot"><button class="ze-button" @click="asked = null">{{ t['session.cancel'] }}</button><button class="ze-button is-main" data-testid="sure-yes" @click="$emit('step', { username: asked.row.username, step: asked.step })">{{ t['settings.yes'] }}</button></footer></template></ze-modal>
    </div>`,
};
