import { Modal, Sign } from "zeroentry-console";

const SIGNS = { asked: "clock", approved: "clock", making: "clock", ready: "check", refused: "warning", failed: "warning", expired: "warning", withdrawn: "warning" };

export default {
  components: { ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, rows: Array, cameras: Array, loading: Boolean, zone: String, done: Number, decides: Boolean },
  emits: ["ask", "decide", "withdraw", "fetch"],
  data: () => ({ asking: false, deciding: null, form: {}, decision: {} }),
  watch: {
    done() { this.asking = false; this.deciding = null; },
  },
  methods: {
    sign(state) { return SIGNS[state]; },
    fill(text, value) { return text.replace("{0}", value); },
    open() {
      this.form = { reason: "", behalf: "", cameras: [], from: "", to: "", form: "watermarked" };
      this.asking = true;
    },
    decide(row) {
      this.decision = { reason: "", days: 7, during: false };
      this.deciding = row;
    },
    answer(approve) {
      this.$emit("decide", { id: this.deciding.id, approve, ...this.decision });
    },
  },
  template: `
    <div class="ze-retrievals" data-testid="retrievals">
      <header class="ze-ret-head"><h1>{{ t['ret.title'] }}</h1><button class="ze-button is-main" data-testid="retrieval-new" @click="open"><ze-sign name="plus"/>{{ t['ret.ask'] }}</button></header>
      <p v-if="loading" class="ze-empty" role="status"><span class="ze-spin" aria-hidden="true"></span>{{ t['ret.loading'] }}</p>
      <p v-else-if="!rows.length" class="ze-empty" data-testid="retrievals-empty"><ze-sign name="archive"/>{{ t['ret.empty'] }}</p>
      <article v-for="r in rows" :key="r.id" class="ze-ret-row" :data-testid="'retrieval-' + r.number" :data-state="r.state">
        <div class="ze-ret-what"><span class="ze-chip" :class="{ 'is-good': r.state === 'ready', 'is-open': ['asked', 'approved', 'making'].includes(r.state) }"><ze-sign :name="sign(r.state)"/>{{ r.state_label }}</span>
          <b>#{{ r.number }} {{ r.reason }}</b>
          <small>{{ r.cameras }} · {{ r.interval }} · {{ r.form }}</small>
          <small>{{ t['ret.asked_by'] }} {{ r.asked_by }}<template v-if="r.behalf"> ({{ r.behalf }})</template> {{ r.asked }}<template v-if="r.decided_by"> · {{ t['ret.decided_by'] }} {{ r.decided_by }}: {{ r.decision }}</template></small>
          <small v-if="r.note" class="ze-ret-note" role="status">{{ r.note }}</small>
          <progress v-if="r.state === 'making'" :value="r.progress" max="100" :aria-label="r.state_label">{{ r.progress }} %</progress>
          <template v-if="r.state === 'ready'"><small>{{ r.size }} · {{ t['ret.expires'] }} {{ r.expires }} · {{ fill(t['ret.views'], r.views) }}<template v-if="r.gaps"> · {{ fill(t['ret.gaps'], r.gaps) }}</template></small><small class="ze-rep-hash">{{ t['ret.sha'] }} {{ r.sha256 }}</small></template>
          <small v-if="r.own && r.state === 'asked'">{{ t['ret.own'] }}</small></div>
        <span class="ze-ret-do"><button v-if="r.may_decide" class="ze-button is-main is-small" :data-testid="'decide-' + r.number" @click="decide(r)">{{ t['ret.approve'] }} / {{ t['ret.refuse'] }}</button>
          <button v-if="r.may_withdraw" class="ze-button is-quiet is-small" @click="$emit('withdraw', r.id)">{{ t['ret.withdraw'] }}</button>
          <button v-if="r.may_fetch" class="ze-button is-main is-small" :data-testid="'fetch-' + r.number" @click="$emit('fetch', { id: r.id })">{{ t['ret.download'] }}</button>
          <button v-if="r.may_fetch" class="ze-button is-quiet is-small" @click="$emit('fetch', { id: r.id, seal: true })">{{ t['ret.seal'] }}</button></span>
      </article>
      <ze-modal :open="asking" :label="t['ret.ask']" testid="retrieval-form" @close="asking = false">
        <form class="ze-ret-form" @submit.prevent="$emit('ask', { ...form })"><h2>{{ t['ret.ask'] }}</h2>
          <label class="ze-field">{{ t['ret.reason'] }}<textarea v-model="form.reason" rows="2" minlength="5" maxlength="500" required data-testid="retrieval-reason"></textarea></label>
          <label class="ze-field">{{ t['ret.behalf'] }}<input v-model="form.behalf" maxlength="120"></label>
          <label class="ze-field">{{ t['ret.cameras'] }}<select v-model="form.cameras" multiple size="5" required data-testid="retrieval-cameras"><option v-for="c in cameras" :key="c.id" :value="c.id">{{ c.name }}</option></select></label>
          <div class="ze-ret-times"><label class="ze-field">{{ t['ret.from'] }}<input v-model="form.from" type="datetime-local" step="1" required data-testid="retrieval-from"></label>
            <label class="ze-field">{{ t['ret.to'] }}<input v-model="form.to" type="datetime-local" step="1" required data-testid="retrieval-to"></label></div>
          <small>{{ t['ret.zone'] }}: {{ zone || '…' }}</small>
          <label class="ze-field">{{ t['ret.form'] }}<select v-model="form.form" data-testid="retrieval-how"><option value="watermarked">{{ t['ret.watermarked'] }}</option><option value="exact">{{ t['ret.exact'] }}</option><option value="whole">{{ t['ret.whole'] }}</option></select></label>
          <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="asking = false">{{ t['ret.cancel'] }}</button><button class="ze-button is-main" type="submit" :disabled="!zone" data-testid="retrieval-submit">{{ t['ret.submit'] }}</button></footer></form>
      </ze-modal>
      <ze-modal :open="!!deciding" :label="t['ret.approve']" testid="retrieval-decision" @close="deciding = null">
        <form v-if="deciding" @submit.prevent="answer(true)"><h2>#{{ deciding.number }} {{ deciding.reason }}</h2>
          <p>{{ deciding.asked_by }} · {{ deciding.cameras }} · {{ deciding.interval }} · {{ deciding.form }}</p>
          <label class="ze-field">{{ t['ret.decision'] }}<textarea v-model="decision.reason" rows="2" minlength="5" maxlength="500" required data-testid="decision-reason"></textarea></label>
          <label class="ze-field">{{ t['ret.days'] }}<input v-model.number="decision.days" type="number" min="1" max="30" required></label>
          <label class="ze-ret-check"><input v-model="decision.during" type="checkbox"> {{ t['ret.during'] }}</label>
          <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="deciding = null">{{ t['ret.cancel'] }}</button><button class="ze-button" type="button" data-testid="decision-no" :disabled="decision.reason.trim().length < 5" @click="answer(false)">{{ t['ret.refuse'] }}</button><button class="ze-button is-main" type="submit" data-testid="decision-yes">{{ t['ret.approve'] }}</button></footer></form>
      </ze-modal>
    </div>`,
};
