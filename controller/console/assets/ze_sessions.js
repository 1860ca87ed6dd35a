import { Modal, Sign, seal_sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, sessions: Array, rooms: Array, may: Boolean, loading: Boolean },
  emits: ["step", "schedule"],
  data: () => ({ asked: null, making: false, form: { room_id: "", title: "", admitted: 5 } }),
  methods: {
    seal_sign,
    confirm() {
      this.$emit("step", { id: this.asked.id, step: this.asked.step });
      this.asked = null;
    },
    make() {
      this.form = { room_id: this.rooms[0]?.id || "", title: "", admitted: 5 };
      this.making = true;
    },
    schedule() {
      if (!this.form.title.trim()) return;
      this.$emit("schedule", { ...this.form, title: this.form.title.trim() });
      this.making = false;
    },
  },
  template: `
    <section class="ze-panel ze-sessions" :aria-label="t['session.heading']" data-testid="sessions">
      <header class="ze-panel-head"><h2>{{ t['session.heading'] }}</h2><span class="ze-stale-mark">{{ t['state.stale'] }}</span>
        <button v-if="may" class="ze-button is-small" data-testid="session-new" @click="make"><ze-sign name="plus"/>{{ t['session.new'] }}</button></header>
      <p v-if="!loading && !sessions.length" class="ze-empty is-slim"><ze-sign name="calendar"/>{{ t['session.empty'] }}</p>
      <article v-for="s in sessions" :key="s.id" class="ze-session" :data-testid="'session-' + s.id" :data-state="s.state">
        <span class="ze-session-state" :class="'is-seal-' + s.state"><ze-sign :name="seal_sign(s.state)"/>{{ s.state_label }}</span>
        <div class="ze-session-what"><b><a :href="'/sessions/' + s.id" :data-testid="'session-page-' + s.id">{{ s.title }}</a></b><small>{{ s.room }} · {{ s.admitted }} {{ t['session.people'] }}<template v-if="s.sealed_at"> · {{ t['session.sealed_since'] }} {{ s.sealed_at }}</template><template v-if="s.released_at"> · {{ t['session.released_at'] }} {{ s.released_at }}</template></small></div>
        <span class="ze-session-do"><a v-if="s.report" class="ze-button is-quiet is-small" :href="s.report" :data-testid="'report-' + s.id"><ze-sign name="report"/>{{ t['session.report'] }}</a>
          <button v-if="s.step" class="ze-button is-small" :class="{ 'is-main': s.step === 'seal' }" :data-testid="s.step + '-' + s.id" @click="asked = s">{{ s.step_label }}</button></span>
      </article>
      <ze-modal :open="!!asked" :label="asked ? t['session.confirm_' + asked.step] : ''" testid="session-confirm" @close="asked = null">
        <template v-if="asked"><h2>{{ t['session.confirm_' + asked.step] }}</h2><p class="ze-confirm-what"><b>{{ asked.room }}</b> {{ asked.title }} · {{ asked.admitted }} {{ t['session.people'] }}</p>
          <p>{{ t['session.confirm_' + asked.step + '_text'] }}</p>
          <footer class="ze-modal-foot"><button class="ze-button" data-testid="confirm-no" @click="asked = null">{{ t['session.cancel'] }}</button>
            <button class="ze-button is-main" data-testid="confirm-yes" @click="confirm">{{ asked.step_label }}</button></footer></template>
      </ze-modal>
      <ze-modal :open="making" :label="t['session.new']" testid="session-form" @close="making = false">
        <form @submit.prevent="schedule"><h2>{{ t['session.new'] }}</h2>
          <label class="ze-field">{{ t['session.room'] }}<select v-model="form.room_id"><option v-for="room in rooms" :key="room.id" :value="room.id">{{ room.name }}</option></select></label>
          <label class="ze-field">{{ t['session.title'] }}<input v-model="form.title" maxlength="120" required data-testid="session-title"></label>
          <label class="ze-field">{{ t['session.admitted'] }}<input v-model.number="form.admitted" type="number" min="1" max="40" required></label>
          <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="making = false">{{ t['session.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="session-create">{{ t['session.create'] }}</button></footer></form>
      </ze-modal>
    </section>`,
};
