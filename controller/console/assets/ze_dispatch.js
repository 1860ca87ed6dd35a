import { Modal, Sign } from "zeroentry-console";

const REASON_MIN = 3;

export default {
  components: { ZeModal: Modal, ZeSign: Sign },
  props: { t: Object, loading: Boolean, approvals: Array, robots: Array, deliveries: Array, may: Boolean, judges: Boolean, fire: String },
  emits: ["judge", "command", "clear", "proceed", "release", "judge_release", "cancel", "fire"],
  data: () => ({ reasons: {}, opened: {}, stating: null }),
  methods: {
    ready(id) {
      return (this.reasons[id] || "").trim().length >= REASON_MIN;
    },
    send(what, id, more) {
      this.$emit(what, { id, reason: this.reasons[id] || "", ...more });
      this.reasons = { ...this.reasons, [id]: "" };
    },
    // taken off the floor, or put back: what that means is read before it is said
    ask_state(robot, verb) {
      this.stating = { id: robot.id, name: robot.name, verb };
    },
    stated() {
      this.send("command", "s" + this.stating.id, { id: this.stating.id, verb: this.stating.verb });
      this.stating = null;
    },
    robot_sign: (robot) => (robot.removed ? "cross" : robot.doubt ? "warning" : robot.hold ? "pause" : ({ held: "pause", paused: "pause", error: "warning", offline: "link_off" })[robot.state] || "robot"),
    verdict_sign: (verdict) => ({ no_unadmitted_person: "check", person_seen: "person", unproven: "eye_off" })[verdict],
  },
  template: `
    <div class="ze-dispatch" data-testid="dispatch">
      <section v-if="fire" class="ze-panel" role="alert" data-testid="desk-fire"><div class="ze-dispatch-row is-doubted"><p class="is-alarm"><ze-sign name="alarm"/> <b>{{ t['dispatch.fire'] }}</b></p>
        <p v-if="fire === 'burning'" class="is-warning">{{ t['dispatch.fire_burning'] }}</p>
        <p v-else-if="may" class="ze-dispatch-do"><label><span>{{ t['dispatch.reason'] }}</span><input v-model="reasons.fire" maxlength="500" data-testid="reason-fire"></label><button class="ze-button is-main" :disabled="!ready('fire')" data-testid="fire-release" @click="send('fire', 'fire')"><ze-sign name="check"/>{{ t['dispatch.fire_release'] }}</button></p><p v-else class="is-warning">{{ t['dispatch.fire_waits'] }}</p></div></section>
      <section class="ze-panel" :aria-label="t['dispatch.approvals']" data-testid="approvals"><header class="ze-panel-head"><h2>{{ t['dispatch.approvals'] }}<small v-if="approvals.length"> {{ approvals.length }}</small></h2></header>
        <p v-if="!approvals.length" class="ze-empty is-slim"><ze-sign name="check"/>{{ t['dispatch.no_approvals'] }}</p>
        <article v-for="a in approvals" :key="a.id" class="ze-dispatch-row" :data-testid="'approval-' + a.id">
          <p><b>{{ a.kind }}</b> · {{ a.room }} · {{ a.lines }} · <span class="ze-faint">{{ a.by }} {{ a.ordered }}</span></p>
          <p v-if="a.own" class="ze-faint">{{ t['dispatch.own_order'] }}</p>
          <p v-else-if="judges" class="ze-dispatch-do"><label><span>{{ t['dispatch.reason'] }}</span><input v-model="reasons[a.id]" maxlength="500" :data-testid="'reason-' + a.id"></label>
            <button class="ze-button is-main" :disabled="!ready(a.id)" :data-testid="'approve-' + a.id" @click="send('judge', a.id, { approve: true })"><ze-sign name="check"/>{{ t['dispatch.approve'] }}</button>
            <button class="ze-button" :disabled="!ready(a.id)" :data-testid="'refuse-' + a.id" @click="send('judge', a.id, { approve: false })"><ze-sign name="cross"/>{{ t['dispatch.refuse'] }}</button></p>
        </article></section>
      <section class="ze-panel" :aria-label="t['dispatch.robots']"><header class="ze-panel-head"><h2>{{ t['dispatch.robots'] }}</h2></header>
        <p v-if="!loading && !robots.length" class="ze-empty is-slim"><ze-sign name="robot"/>{{ t['dispatch.no_robots'] }}</p>
        <article v-for="r in robots" :key="r.id" class="ze-dispatch-row" :class="['is-' + r.state, { 'is-doubted': r.doubt }]" :data-testid="'desk-' + r.id" :data-hold="r.hold">
          <p><ze-sign :name="robot_sign(r)"/> <b>{{ r.name }}</b> · {{ r.state_label }}<template v-if="r.battery !== null"> · {{ t['dispatch.battery'] }} {{ r.battery }}%</template><template v-if="r.carries.length"> · {{ t['dispatch.carries'] }}: {{ r.carries.join(', ') }}</template></p>
          <p v-if="r.hold_words" class="is-warning"><ze-sign name="pause"/> {{ r.hold_words }}</p>
          <p v-if="r.doubt" class="is-alarm" :data-testid="'doubt-' + r.id"><ze-sign name="warning"/> {{ t['dispatch.doubt'] }}: {{ r.doubt }}</p>
          <p v-if="r.unfit && !r.removed" class="is-warning"><ze-sign name="warning"/> {{ t['dispatch.unfit'] }}: {{ r.unfit }}</p>
          <p v-for="e in r.errors" :key="e" class="is-alarm">{{ e }}</p>
          <p v-if="r.zones.length" class="is-warning"><ze-sign name="eye_off"/> {{ t['map.held_for'] }} {{ r.zones.map((z) => z.name).join(', ') }}</p>
          <p v-if="r.removed" class="is-warning" :data-testid="'removed-' + r.id"><ze-sign name="cross"/> {{ r.removed }}</p>
          <p v-if="may && r.removed" class="ze-dispatch-do"><button class="ze-button is-main" aria-haspopup="dialog" :data-testid="'returned-' + r.id" @click="ask_state(r, 'returned')"><ze-sign name="check"/>{{ t['dispatch.returned'] }}</button>
            <template v-if="r.doubt"><label><span>{{ t['dispatch.reason'] }}</span><input v-model="reasons[r.id]" maxlength="500" :data-testid="'reason-' + r.id"></label><button class="ze-button is-main" :disabled="!ready(r.id)" :data-testid="'clear-' + r.id" @click="send('clear', r.id)"><ze-sign name="check"/>{{ t['dispatch.clear'] }}</button></template></p>
          <p v-else-if="may" class="ze-dispatch-do"><label><span>{{ t['dispatch.reason'] }}</span><input v-model="reasons[r.id]" maxlength="500" :data-testid="'reason-' + r.id"></label>
            <button v-if="!r.hold" class="ze-button" :disabled="!ready(r.id)" :data-testid="'hold-' + r.id" @click="send('command', r.id, { verb: 'hold' })"><ze-sign name="pause"/>{{ t['dispatch.hold'] }}</button>
            <button v-else class="ze-button is-main" :disabled="!ready(r.id)" :data-testid="'resume-' + r.id" @click="send('command', r.id, { verb: 'resume' })"><ze-sign name="play"/>{{ t['dispatch.resume'] }}</button>
            <button class="ze-button" :disabled="!ready(r.id)" :data-testid="'recall-' + r.id" @click="send('command', r.id, { verb: 'recall' })"><ze-sign name="left"/>{{ t['dispatch.recall'] }}</button>
            <button class="ze-button" aria-haspopup="dialog" :data-testid="'remove-' + r.id" @click="ask_state(r, 'removed')"><ze-sign name="cross"/>{{ t['dispatch.removed'] }}</button>
            <button v-if="r.doubt" class="ze-button is-main" :disabled="!ready(r.id)" :data-testid="'clear-' + r.id" @click="send('clear', r.id)"><ze-sign name="check"/>{{ t['dispatch.clear'] }}</button>
            <button v-for="z in r.zones.filter((one) => one.unseen)" :key="z.id" class="ze-button" :disabled="!ready(r.id)" :title="t['dispatch.proceed_text']" :data-testid="'proceed-' + r.id + '-' + z.id" @click="send('proceed', r.id, { zone: z.id })"><ze-sign name="right"/>{{ t['dispatch.proceed'] }}: {{ z.name }}</button></p>
        </article></section>
      <section class="ze-panel" :aria-label="t['dispatch.deliveries']"><header class="ze-panel-head"><h2>{{ t['dispatch.deliveries'] }}</h2></header>
        <p v-if="!loading && !deliveries.length" class="ze-empty is-slim"><ze-sign name="box"/>{{ t['dispatch.no_deliveries'] }}</p>
        <article v-for="d in deliveries" :key="d.id" class="ze-dispatch-row ze-delivery" :class="{ 'is-ended': d.ended }" :data-testid="'line-' + d.id" :data-state="d.state">
          <p class="ze-delivery-head"><b>{{ d.room }}</b><span>{{ d.kind }} · {{ d.lines }}</span><span class="ze-faint">{{ d.robot }}<template v-if="d.compartment"> · {{ t['delivery.compartment'] }} {{ d.compartment }}</template> · {{ d.ordered }}<template v-if="d.window"> · {{ t['dispatch.window'] }} {{ d.window }}</template></span></p>
          <ol class="ze-steps"><li v-for="step in d.steps" :key="step.id" :class="'is-' + step.status"><i><ze-sign :name="step.status === 'done' ? 'check' : step.status === 'failed' ? 'cross' : step.status === 'held' ? 'pause' : 'dot'"/></i><span>{{ step.label }}</span></li></ol>
          <p v-if="d.explanation" class="ze-delivery-why" :class="{ 'is-trouble': d.troubled }">{{ d.explanation }}</p>
          <p v-if="d.approval">{{ d.approval }}</p>
          <p v-if="d.pin_locked" class="is-alarm"><ze-sign name="lock"/> {{ t['dispatch.pin_locked'] }} {{ d.pin_locked }}</p>
          <div v-if="d.at_door && judges" class="ze-dispatch-release"><b>{{ t['dispatch.release'] }}</b><small class="ze-faint">{{ t['dispatch.release_text'] }}</small>
            <template v-if="d.release_by"><p>{{ t['dispatch.release_asked'] }} {{ d.release_by }}: {{ d.release_reason }}</p>
              <p v-if="d.release_own" class="ze-faint" :data-testid="'release-own-' + d.id">{{ t['dispatch.release_own'] }}</p>
              <p v-else class="ze-dispatch-do"><button class="ze-button is-main" :data-testid="'release-yes-' + d.id" @click="$emit('judge_release', { id: d.id, approve: true })"><ze-sign name="unlock"/>{{ t['dispatch.release_approve'] }}</button><button class="ze-button" :data-testid="'release-no-' + d.id" @click="$emit('judge_release', { id: d.id, approve: false })">{{ t['dispatch.refuse'] }}</button></p></template>
            <p v-else class="ze-dispatch-do"><label><span>{{ t['dispatch.reason'] }}</span><input v-model="reasons[d.id]" maxlength="500" :data-testid="'release-reason-' + d.id"></label><button class="ze-button" :disabled="!ready(d.id)" :data-testid="'release-ask-' + d.id" @click="send('release', d.id)"><ze-sign name="unlock"/>{{ t['dispatch.release_ask'] }}</button></p></div>
          <details :data-testid="'custody-' + d.id"><summary>{{ t['dispatch.custody'] }} ({{ d.custody.length }}) · {{ t['dispatch.proof'] }}</summary>
            <p v-if="!d.proof.length" class="ze-faint">{{ t['dispatch.no_proof'] }}</p>
            <ul class="ze-proof"><li v-for="(p, n) in d.proof" :key="n" :class="'is-' + p.verdict"><ze-sign :name="verdict_sign(p.verdict)"/><b>{{ p.zone }}</b><span>{{ p.verdict_label }}</span><time>{{ p.from }}-{{ p.until }}</time><small v-if="p.detail">{{ p.detail }}</small></li></ul>
            <ol class="ze-custody"><li v-for="(c, n) in d.custody" :key="n"><time>{{ c.at }}</time><b>{{ c.what }}</b><span>{{ c.by }}</span><small>{{ c.where }} {{ c.lid }}</small></li></ol>
            <p v-if="may && !d.ended" class="ze-dispatch-do"><label><span>{{ t['dispatch.reason'] }}</span><input v-model="reasons['x' + d.id]" maxlength="500"></label><button class="ze-button" :disabled="!ready('x' + d.id)" :data-testid="'call-off-' + d.id" @click="$emit('cancel', { id: d.id, reason: reasons['x' + d.id] })"><ze-sign name="cross"/>{{ t['dispatch.cancel'] }}</button></p></details>
        </article></section>
      <ze-modal :open="!!stating" :label="stating ? t['dispatch.' + stating.verb] : ''" testid="state-dialog" @close="stating = null">
        <template v-if="stating">
          <header class="ze-modal-head"><h2>{{ stating.name }}: {{ t['dispatch.' + stating.verb] }}</h2><button class="ze-button is-quiet is-square" :aria-label="t['dispatch.back']" @click="stating = null"><ze-sign name="cross"/></button></header>
          <div class="ze-dispatch-state"><p>{{ t['dispatch.' + stating.verb + '_text'] }}</p><ul><li v-for="n in 3" :key="n">{{ t['dispatch.' + stating.verb + '_' + n] }}</li></ul>
            <form class="ze-dispatch-do" @submit.prevent="ready('s' + stating.id) && stated()"><label><span>{{ t['dispatch.reason'] }}</span><input v-model="reasons['s' + stating.id]" maxlength="300" required autofocus data-testid="state-reason"></label>
              <button type="submit" class="ze-button is-main" :disabled="!ready('s' + stating.id)" data-testid="state-do"><ze-sign name="check"/>{{ t['dispatch.' + stating.verb + '_do'] }}</button>
              <button type="button" class="ze-button" data-testid="state-back" @click="stating = null">{{ t['dispatch.back'] }}</button></form></div>
        </template></ze-modal>
    </div>`,
};
