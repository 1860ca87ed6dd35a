import { Modal, Sign } from "zeroentry-console";

const LINK_SIGNS = { up: "check", lost: "warning", refused: "alarm", connecting: "clock" };

export default {
  components: { ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, loading: Boolean, failed: Boolean, own: String, own_key: String, own_key_id: String, peers: Array, joints: Array, sessions: Array, may: Boolean, may_trust: Boolean, shown: String, alerts: Array, record: Array },
  emits: ["act", "make", "show", "offer", "sign", "pdf", "trust"],
  data: () => ({ asked: null, form: null, signing: null, trusting: null }),
  methods: {
    link_sign(link) {
      return LINK_SIGNS[link] || "clock";
    },
    ask(joint, verb, site) {
      this.asked = { id: joint.id, verb, title: joint.title, guests: joint.guests, site: site || (verb === "urge" ? joint.guests[0]?.id || "" : ""), reason: "", sessions: [] };
    },
    needs_reason(verb) {
      return !["accept", "seal"].includes(verb);
    },
    confirm() {
      const { id, verb, site, reason, sessions } = this.asked;
      this.$emit("act", { id, verb, site: ["suspend", "resume", "urge"].includes(verb) ? site : "", reason: reason.trim(), sessions });
      this.asked = null;
    },
    begin() {
      this.form = { title: "", note: "", sessions: this.sessions.slice(0, 1).map((s) => s.id), guests: this.peers.map((p) => ({ site: p.id, name: p.name, on: this.peers.length === 1, seats: 3, rooms: 1 })) };
    },
    make() {
      const { title, note, sessions, guests } = this.form;
      this.$emit("make", { title: title.trim(), note, sessions, guests: guests.filter((g) => g.on).map(({ site, seats, rooms }) => ({ site, seats, rooms })) });
      this.form = null;
    },
    may_make() {
      return this.form.title.trim() && this.form.sessions.length && this.form.guests.some((g) => g.on);
    },
    begin_trust(peer) {
      this.trusting = { site: peer.id, name: peer.name, why: peer.reason, reason: "", public_key: "", anew: false };
    },
    trust() {
      const { site, reason, public_key, anew } = this.trusting;
      this.$emit("trust", { site, reason: reason.trim(), public_key: public_key.trim(), anew });
      this.trusting = null;
    },
    sign() {
      this.$emit("sign", this.signing);
      this.signing = null;
    },
  },
  template: `
    <section class="ze-sites" data-testid="sites-page">
      <header class="ze-sites-head"><div><h1>{{ t['sites.title'] }}</h1><p class="ze-faint">{{ t['sites.lead'] }}</p></div>
        <button v-if="may && peers.length" class="ze-button is-main" data-testid="joint-new" @click="begin"><ze-sign name="plus"/>{{ t['sites.new'] }}</button></header>
      <p v-if="loading" class="ze-empty" data-testid="sites-loading"><span class="ze-spin"></span>{{ t['sites.loading'] }}</p>
      <div v-if="failed" class="ze-empty is-slim" role="alert" data-testid="sites-failed"><ze-sign name="warning"/><b>{{ t['sites.failed'] }}</b></div>
      <template v-if="!loading">
      <section class="ze-panel ze-sites-peers" :aria-label="t['sites.peers']"><header class="ze-panel-head"><h2>{{ t['sites.peers'] }}</h2></header>
        <div v-if="!peers.length && !failed" class="ze-empty is-slim" data-testid="sites-no-peers"><ze-sign name="link"/><b>{{ t['sites.no_peers'] }}</b><span>{{ t['sites.no_peers_text'] }}</span></div>
        <article v-for="p in peers" :key="p.id" class="ze-site" :class="'is-' + p.link" :data-testid="'peer-' + p.id" :data-link="p.link">
          <div class="ze-site-name"><b>{{ p.name }}</b><span class="ze-site-link"><ze-sign :name="link_sign(p.link)"/>{{ p.link_label }}</span></div>
          <dl class="ze-site-facts"><div><dt>{{ t['sites.heard'] }}</dt><dd>{{ p.heard || t['sites.never'] }}</dd></div><div><dt>{{ t['sites.offset'] }}</dt><dd :data-testid="'offset-' + p.id">{{ p.offset || '–' }}</dd></div><div><dt>{{ t['sites.trip'] }}</dt><dd>{{ p.trip || '–' }}</dd></div><div><dt>{{ t['sites.lines'] }}</dt><dd>{{ p.lines }}</dd></div><div v-if="p.refused"><dt>{{ t['sites.refused_lines'] }}</dt><dd>{{ p.refused }}</dd></div></dl>
          <p v-if="p.reason" class="ze-site-reason">{{ p.reason }}</p>
          <p v-if="may_trust && p.link === 'refused'"><button class="ze-button is-small" :data-testid="'trust-' + p.id" @click="begin_trust(p)"><ze-sign name="key"/>{{ t['sites.trust'] }}</button></p>
        </article>
        <details v-if="own_key" class="ze-site-key"><summary>{{ t['sites.own_key'] }} · <code>{{ own_key_id }}</code></summary><pre>{{ own_key }}</pre></details>
      </section>
      <section class="ze-sites-joints" :aria-label="t['sites.joints']"><h2>{{ t['sites.joints'] }}</h2>
        <div v-if="!joints.length && !failed" class="ze-empty is-slim" data-testid="joints-empty"><ze-sign name="calendar"/><b>{{ t['sites.empty'] }}</b><span>{{ t['sites.empty_text'] }}</span></div>
        <article v-for="j in joints" :key="j.id" class="ze-panel ze-joint" :data-testid="'joint-' + j.id" :data-state="j.state">
          <header class="ze-joint-head"><span class="ze-joint-state" :class="'is-' + j.state">{{ j.state_label }}</span><div class="ze-joint-title"><h3>{{ j.title }}</h3><small class="ze-faint">{{ j.starts }}<template v-if="j.note"> · {{ j.note }}</template></small></div>
            <span class="ze-joint-do"><button v-for="verb in j.may" :key="verb" class="ze-button is-small" :class="{ 'is-main': verb === 'seal' || verb === 'accept' }" :data-testid="verb + '-' + j.id" @click="ask(j, verb)">{{ t['sites.do_' + verb] }}</button></span></header>
          <div class="ze-joint-parts">
            <section v-for="p in j.parts" :key="p.id" class="ze-part" :class="{ 'is-old': p.old }" :data-testid="'part-' + p.id" :data-state="p.state" :aria-label="p.name">
              <header><b>{{ p.name }}</b><span class="ze-chip">{{ p.host ? t['sites.host'] : t['sites.guest'] }}<template v-if="p.own"> · {{ t['sites.own'] }}</template></span><span class="ze-part-state" :class="'is-' + p.state">{{ p.state_label }}</span></header>
              <p v-if="p.fault" class="ze-part-warn" data-testid="part-fault"><ze-sign name="warning"/>{{ t['sites.fault_since'] }} {{ p.fault }}</p>
              <p v-if="p.old" class="ze-part-note"><ze-sign name="clock"/>{{ t['sites.old'] }} · {{ t['sites.heard'] }} {{ p.heard || t['sites.never'] }}</p>
              <p v-if="p.asked" class="ze-part-note"><span class="ze-spin"></span>{{ t['sites.asked'] }}{{ ' ' }}{{ p.asked }} {{ p.asked_at }}<b v-if="p.silent"> · {{ t['sites.silent'] }}</b></p>
              <p v-if="p.refused" class="ze-part-warn" data-testid="part-refused"><ze-sign name="warning"/><span><b>{{ t['sites.said_no'] }}</b>{{ ' ' }}{{ p.refused }}</span></p>
              <p v-if="p.urged" class="ze-part-note"><ze-sign name="bell"/>{{ t['sites.urged'] }} {{ p.urged }}</p>
              <ul class="ze-part-rooms"><li v-for="r in p.rooms" :key="r.id" :data-testid="'told-' + r.id"><span>{{ r.name }}</span><template v-if="r.live"><span class="ze-number" :title="t['sites.people']"><ze-sign name="person_add"/>{{ r.people }} / {{ r.of }}</span><span>{{ r.recording ? t['sites.recording'] : t['sites.not_recording'] }}</span><span v-if="r.alerts" class="ze-chip is-warning">{{ r.alerts }} {{ t['sites.room_alerts'] }}</span></template><span v-else class="ze-number">{{ r.of }} {{ t['sites.seats'] }}</span></li>
                <li v-if="!p.rooms.length && p.own" class="ze-faint">{{ t['sites.no_sessions'] }}</li></ul>
              <div v-if="p.handover" class="ze-part-hand" :class="{ 'is-late': p.handover.overdue }" data-testid="handover"><b>{{ t['sites.handover'] }}</b>
                <span v-if="p.handover.due">{{ t['sites.due'] }} {{ p.handover.due }}<b v-if="p.handover.overdue"> · {{ t['sites.overdue'] }}</b></span>
                <span v-if="!p.handover.list">{{ t['sites.no_list'] }}</span><span v-else>{{ t['sites.list'] }} <code>{{ p.handover.list }}</code> · {{ p.handover.items }} {{ t['sites.items'] }} {{ p.handover.size }}<template v-if="!p.handover.fetched"> · {{ t['sites.fetching'] }}</template></span>
                <span v-if="p.handover.receipt" data-testid="receipt"><ze-sign :name="p.handover.complete ? 'check' : 'warning'"/>{{ t['sites.receipt'] }} <code>{{ p.handover.receipt_hash }}</code> · {{ p.handover.receipt }}</span>
                <button v-if="p.handover.may_offer" class="ze-button is-small is-main" data-testid="hand-over" @click="$emit('offer', j.id)">{{ t['sites.hand_over'] }}</button>
                <button v-if="p.handover.may_sign" class="ze-button is-small is-main" data-testid="give-receipt" @click="signing = { id: j.id, site: p.id, name: p.name, hashes: '', everything: false }">{{ t['sites.give_receipt'] }}</button></div>
            </section></div>
          <footer><button class="ze-button is-quiet is-small" :aria-expanded="shown === j.id ? 'true' : 'false'" :data-testid="'details-' + j.id" @click="$emit('show', j.id)"><ze-sign name="chevron"/>{{ shown === j.id ? t['sites.close'] : t['sites.details'] }}</button>
            <button class="ze-button is-quiet is-small" :data-testid="'pdf-' + j.id" @click="$emit('pdf', j.id)"><ze-sign name="report"/>{{ t['sites.pdf'] }}</button></footer>
          <div v-if="shown === j.id" class="ze-joint-more">
            <section v-if="j.host" :aria-label="t['sites.alerts']"><h4>{{ t['sites.alerts'] }}</h4><p v-if="!alerts.length" class="ze-faint" data-testid="guest-alerts-empty">{{ t['sites.no_alerts'] }}</p>
              <ul class="ze-told" data-testid="guest-alerts"><li v-for="a in alerts" :key="a.id" :data-testid="'guest-alert-' + a.id"><span class="ze-severity" :class="'is-' + a.severity"><ze-sign :name="a.severity"/></span><b>{{ a.title }}</b><span>{{ a.site }} · {{ a.room }}</span><span class="ze-number">{{ a.at }}</span><span class="ze-chip">{{ a.active ? t['sites.active'] : t['sites.cleared'] }}</span><span class="ze-chip">{{ a.handling }}</span></li></ul></section>
            <section :aria-label="t['sites.record']"><h4>{{ t['sites.record'] }}</h4><p v-if="!record.length" class="ze-faint">{{ t['sites.no_record'] }}</p>
              <ol class="ze-told is-record" data-testid="joint-record" tabindex="0"><li v-for="r in record" :key="r.id"><span class="ze-number">{{ r.at }}</span><span class="ze-chip">{{ r.site }}</span><span>{{ r.text }}</span><small class="ze-faint">{{ r.by }}</small></li></ol></section></div>
        </article>
      </section></template>
      <ze-modal :open="!!asked" :label="asked ? t['sites.do_' + asked.verb] : ''" testid="joint-confirm" @close="asked = null">
        <form v-if="asked" @submit.prevent="confirm"><h2>{{ t['sites.do_' + asked.verb] }}</h2><p class="ze-confirm-what"><b>{{ asked.title }}</b></p><p>{{ t['sites.text_' + asked.verb] }}</p>
          <fieldset v-if="asked.verb === 'accept'" class="ze-picks"><legend>{{ t['sites.sessions_here'] }}</legend><p v-if="!sessions.length">{{ t['sites.no_sessions_here'] }}</p><label v-for="s in sessions" :key="s.id"><input type="checkbox" :value="s.id" v-model="asked.sessions" :data-testid="'pick-' + s.id"> {{ s.room }} · {{ s.title }} · {{ s.people }}</label></fieldset>
          <label v-if="['suspend', 'resume', 'urge'].includes(asked.verb)" class="ze-field">{{ t['sites.where'] }}<select v-model="asked.site" data-testid="joint-where"><option v-if="asked.verb !== 'urge'" value="">{{ t['sites.whole'] }}</option><option v-for="g in asked.guests" :key="g.id" :value="g.id">{{ g.name }}</option></select></label>
          <label v-if="needs_reason(asked.verb)" class="ze-field">{{ t['sites.reason'] }}<input v-model="asked.reason" maxlength="200" required data-testid="joint-reason"></label>
          <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="asked = null">{{ t['sites.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="joint-yes" :disabled="asked.verb === 'accept' && !asked.sessions.length">{{ t['sites.do_' + asked.verb] }}</button></footer></form>
      </ze-modal>
      <ze-modal :open="!!form" :label="t['sites.new']" testid="joint-form" @close="form = null">
        <form v-if="form" @submit.prevent="make"><h2>{{ t['sites.new'] }}</h2>
          <label class="ze-field">{{ t['sites.name'] }}<input v-model="form.title" maxlength="120" required data-testid="joint-title"></label>
          <fieldset class="ze-picks"><legend>{{ t['sites.sessions_here'] }}</legend><p v-if="!sessions.length">{{ t['sites.no_sessions_here'] }}</p><label v-for="s in sessions" :key="s.id"><input type="checkbox" :value="s.id" v-model="form.sessions"> {{ s.room }} · {{ s.title }} · {{ s.people }}</label></fieldset>
          <fieldset class="ze-picks"><legend>{{ t['sites.invite'] }}</legend><div v-for="g in form.guests" :key="g.site" class="ze-pick-guest"><label><input type="checkbox" v-model="g.on" :data-testid="'invite-' + g.site"> {{ g.name }}</label><label>{{ t['sites.seats'] }} <input type="number" min="1" max="400" v-model.number="g.seats"></label><label>{{ t['sites.rooms'] }} <input type="number" min="1" max="40" v-model.number="g.rooms"></label></div></fieldset>
          <label class="ze-field">{{ t['sites.note'] }}<input v-model="form.note" maxlength="300"></label>
          <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="form = null">{{ t['sites.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="joint-make" :disabled="!may_make()">{{ t['sites.make'] }}</button></footer></form>
      </ze-modal>
      <ze-modal :open="!!trusting" :label="t['sites.trust']" testid="trust-form" @close="trusting = null">
        <form v-if="trusting" @submit.prevent="trust"><h2>{{ t['sites.trust'] }}</h2><p class="ze-confirm-what"><b>{{ trusting.name }}</b> {{ trusting.why }}</p><p>{{ t['sites.trust_text'] }}</p>
          <label class="ze-pick-all"><input type="checkbox" v-model="trusting.anew" data-testid="trust-anew"> {{ t['sites.trust_anew'] }}</label>
          <label class="ze-field">{{ t['sites.trust_key'] }}<textarea v-model="trusting.public_key" rows="4" maxlength="2000" spellcheck="false" data-testid="trust-key"></textarea></label>
          <label class="ze-field">{{ t['sites.reason'] }}<input v-model="trusting.reason" minlength="5" maxlength="300" required data-testid="trust-reason"></label>
          <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="trusting = null">{{ t['sites.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="trust-yes" :disabled="!trusting.anew && !trusting.public_key.trim()">{{ t['sites.trust'] }}</button></footer></form>
      </ze-modal>
      <ze-modal :open="!!signing" :label="t['sites.give_receipt']" testid="receipt-form" @close="signing = null">
        <form v-if="signing" @submit.prevent="sign"><h2>{{ t['sites.give_receipt'] }}</h2><p class="ze-confirm-what"><b>{{ signing.name }}</b></p><p>{{ t['sites.receipt_text'] }}</p>
          <label class="ze-field">{{ t['sites.hashes'] }}<textarea v-model="signing.hashes" rows="5" maxlength="60000" spellcheck="false" data-testid="receipt-hashes"></textarea></label>
          <label class="ze-pick-all"><input type="checkbox" v-model="signing.everything" data-testid="receipt-all"> {{ t['sites.everything'] }}</label>
          <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="signing = null">{{ t['sites.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="receipt-yes" :disabled="!signing.everything && !signing.hashes.trim()">{{ t['sites.sign'] }}</button></footer></form>
      </ze-modal>
    </section>`,
};
