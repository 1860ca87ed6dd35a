import { Clip, Modal, Sign, Still, Ticking, Tracks, elapsed, typing } from "zeroentry-console";

export default {
  mixins: [Ticking],
  components: { ZeClip: Clip, ZeSign: Sign, ZeModal: Modal, ZeStill: Still, ZeTracks: Tracks },
  props: { t: Object, alerts: Array, detail: Object, clip: Object, sound: Object, may_hear: Boolean, may: Boolean, loading: Boolean },
  emits: ["acknowledge", "open", "close", "resolve", "clip", "listen"],
  data: () => ({ all: false, selected: null, known: null, sent: {}, disposition: "", note: "", audio: null }),
  mounted() {
    document.addEventListener("keydown", this.key);
    document.addEventListener("pointerdown", this.wake, { once: true });
    document.addEventListener("keydown", this.wake, { once: true });
    document.addEventListener("pointerup", this.unfocus);
  },
  beforeUnmount() {
    document.removeEventListener("keydown", this.key);
    document.removeEventListener("pointerup", this.unfocus);
  },
  watch: {
    alerts: {
      immediate: true,
      handler() {
        if (this.loading) return;
        const sounding = this.alerts.filter((a) => a.severity === "alarm" && a.handling === "new").map((a) => a.id);
        if (this.known && sounding.some((id) => !this.known.has(id))) this.tone();
        this.known = new Set([...(this.known || []), ...sounding]);
      },
    },
    detail() {
      if (!this.detail || this.detail.disposition) this.disposition = this.note = "";
    },
  },
  computed: {
    shown() {
      return this.all ? this.alerts : this.alerts.filter((a) => a.open);
    },
    open_count() {
      return this.alerts.filter((a) => a.open).length;
    },
    newest_new() {
      return this.alerts.find((a) => a.handling === "new" && !this.sent[a.id]);
    },
  },
  methods: {
    lasting(a) {
      return elapsed(a.since_ms, a.ended_ms || this.now_ms);
    },
    acknowledge(a) {
      if (!this.may || a.handling !== "new" || this.sent[a.id]) return;
      this.sent = { ...this.sent, [a.id]: true };
      setTimeout(() => delete this.sent[a.id], 3000);
      this.$emit("acknowledge", a.id);
    },
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const in_dialog = this.detail && event.target instanceof HTMLElement && !event.target.closest("input, textarea, select, button, video");
      if (typing(event) && !in_dialog) return;
      if (event.target instanceof HTMLButtonElement && event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      if (event.key === " ") {
        event.preventDefault();
        const one = this.detail?.handling === "new" ? this.detail : this.newest_new;
        if (one && !event.repeat) this.acknowledge(one);
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        this.select(event.key === "ArrowDown" ? 1 : -1);
      } else if (event.key === "Enter" && this.selected && !this.detail && !(event.target instanceof HTMLAnchorElement)) {
        this.$emit("open", this.selected);
      }
    },
    select(by) {
      if (!this.shown.length) return;
      const at = this.shown.findIndex((a) => a.id === this.selected);
      const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), this.shown.length - 1);
      this.selected = this.shown[next].id;
      this.$nextTick(() => this.$el.querySelector(".is-selected")?.scrollIntoView({ block: "nearest" }));
    },
    // A button that was clicked would swallow the next space; one reached by keyboard keeps its focus.
    unfocus() {
      setTimeout(() => {
        const at = document.activeElement;
        if (at instanceof HTMLButtonElement && !at.closest("dialog")) at.blur();
      });
    },
    wake() {
      this.audio ||= new AudioContext();
      this.audio.resume();
    },
    tone() {
      if (!this.audio || window.ze_muted) return;
      const now = this.audio.currentTime;
      for (const [at, pitch] of [[0, 880], [0.18, 660], [0.5, 880], [0.68, 660]]) {
        const source = this.audio.createOscillator();
        const volume = this.audio.createGain();
        source.frequency.value = pitch;
        volume.gain.setValueAtTime(0, now + at);
        volume.gain.linearRampToValueAtTime(0.18, now + at + 0.015);
        volume.gain.exponentialRampToValueAtTime(0.001, now + at + 0.17);
        source.connect(volume).connect(this.audio.destination);
        source.start(now + at);
        source.stop(now + at + 0.18);
      }
    },
    resolve() {
      if (this.disposition) this.$emit("resolve", { id: this.detail.id, disposition: this.disposition, note: this.note });
    },
  },
  template: `
    <aside class="ze-rail" :aria-label="t['alert.heading']" data-testid="rail">
      <header class="ze-rail-head"><h2>{{ t['alert.heading'] }}</h2><span class="ze-stale-mark">{{ t['state.stale'] }}</span><b v-if="open_count" class="ze-badge" data-testid="open-count">{{ open_count }}</b>
        <div class="ze-tabs" role="group"><button :aria-pressed="all ? 'false' : 'true'" :class="{ 'is-on': !all }" @click="all = false" data-testid="rail-open">{{ t['alert.open'] }}</button>
          <button :aria-pressed="all ? 'true' : 'false'" :class="{ 'is-on': all }" @click="all = true" data-testid="rail-all">{{ t['alert.all'] }}</button></div></header>
      <div class="ze-rail-list" aria-live="polite">
        <div v-if="!loading && !shown.length" class="ze-empty" data-testid="rail-empty"><ze-sign name="check"/><b>{{ t['alert.empty'] }}</b><span>{{ t['alert.empty_text'] }}</span></div>
        <transition-group name="ze-slide">
        <article v-for="a in shown" :key="a.id" class="ze-alert" :class="['is-' + a.severity, { 'is-new': a.handling === 'new', 'is-over': !a.active, 'is-selected': selected === a.id }]"
                 :data-testid="'alert-' + a.id" :data-handling="a.handling" :data-severity="a.severity" :data-condition="a.active ? 'active' : 'cleared'"
                 @click="selected = a.id; $emit('open', a.id)">
          <div class="ze-alert-body">
            <p class="ze-alert-head"><ze-sign :name="a.severity"/><span>{{ a.severity_label }}</span><i>{{ a.condition_label }}</i><time :title="t['alert.since'] + ' ' + a.since">{{ lasting(a) }}</time></p>
            <h3>{{ a.title }}</h3>
            <p class="ze-alert-facts"><span>{{ a.room }}</span><span v-if="a.measured" class="ze-number">{{ a.measured }}</span></p>
          </div>
          <ze-still v-if="a.picture" class="ze-alert-thumb" :src="a.picture"/>
          <div class="ze-alert-foot">
            <button v-if="a.handling === 'new' && may" class="ze-button is-acknowledge" :class="{ 'is-next': newest_new && newest_new.id === a.id }" :disabled="!!sent[a.id]" :data-testid="'acknowledge-' + a.id" @click.stop="acknowledge(a)">
              <ze-sign name="check"/>{{ t['alert.acknowledge'] }}<kbd v-if="newest_new && newest_new.id === a.id">{{ t['alert.space'] }}</kbd></button>
            <span v-else class="ze-alert-by"><ze-sign name="check"/>{{ a.disposition ? a.handling_label + ' · ' + a.disposition : a.acknowledged || a.handling_label }}</span>
          </div>
        </article>
        </transition-group>
      </div>
      <p class="ze-rail-keys">{{ t['alert.keys'] }}</p>
      <ze-modal :open="!!detail" wide :label="detail ? detail.title : ''" testid="alert-dialog" @close="$emit('close')">
        <template v-if="detail">
          <header class="ze-modal-head"><span class="ze-severity" :class="'is-' + detail.severity"><ze-sign :name="detail.severity"/>{{ detail.severity_label }}</span>
            <h2>{{ detail.title }}</h2><button class="ze-button is-quiet is-square" :aria-label="t['alert.close']" data-testid="alert-close" @click="$emit('close')"><ze-sign name="cross"/></button></header>
          <div class="ze-detail">
            <div class="ze-detail-left">
              <div class="ze-evidence" :class="{ 'is-empty': !detail.picture }" data-testid="alert-picture">
                <template v-if="detail.picture"><ze-still :src="detail.picture" :label="detail.title"/>
                  <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"><rect v-for="(box, n) in detail.boxes" :key="n" :x="box.x" :y="box.y" :width="box.w" :height="box.h" :class="'is-' + box.look"/></svg>
                  <span v-for="(box, n) in detail.boxes" :key="n" class="ze-box-label" :class="'is-' + box.look" :style="{ left: box.x * 100 + '%', top: box.y * 100 + '%' }">{{ box.label }}</span></template>
                <span v-else class="ze-tile-dark"><ze-sign name="camera_off"/>{{ t['alert.no_picture'] }}</span>
              </div>
              <p class="ze-detail-caption"><span v-if="detail.boxes.length">{{ t['alert.people_in_picture'] }} {{ detail.boxes.length }}</span><span v-if="detail.camera">{{ t['alert.camera'] }} {{ detail.camera }}</span>
                <span v-if="detail.sha256" class="ze-hash" :title="detail.sha256">{{ t['alert.picture_hash'] }} {{ detail.sha256.slice(0, 12) }}…</span></p>
              <ze-clip v-if="clip && clip.alert === detail.id" :t="t" :clip="clip" @again="$emit('clip', $event)"/>
              <section v-if="detail.has_sound && may_hear" class="ze-heard" data-testid="alert-sound"><h4>{{ t['alert.sound'] }}</h4>
                <p v-if="!sound"><button class="ze-button is-small" data-testid="listen" @click="$emit('listen')"><ze-sign name="sound"/>{{ t['alert.listen'] }}</button> <small class="ze-faint">{{ t['alert.listen_logged'] }}</small></p>
                <p v-else-if="sound.why" role="alert">{{ sound.why }}</p>
                <p v-else><audio :src="sound.url" controls autoplay preload="auto" :aria-label="t['alert.sound']" data-testid="sound-player"></audio> <small class="ze-faint ze-number">{{ t['alert.since'] }} {{ sound.from }}</small></p></section>
              <template v-if="detail.tracks.length"><h4>{{ t['track.heading'] }}</h4><ze-tracks :t="t" :tracks="detail.tracks"/>
                <p v-if="detail.clock" class="ze-faint" data-testid="alert-clock">{{ t['track.clock'] }} <b :class="{ 'is-doubtful': !detail.clock.good }">{{ detail.clock.label }}</b> {{ detail.clock.offset }}</p></template>
            </div>
            <div class="ze-detail-right">
              <dl class="ze-measured"><div v-for="row in detail.rows" :key="row.name"><dt>{{ row.name }}</dt><dd><b>{{ row.value }}</b><span v-if="row.limit">{{ t['alert.limit'] }} {{ row.limit }}</span></dd></div></dl>
              <template v-if="detail.found"><h4>{{ t['alert.found'] }}</h4><p data-testid="alert-found">{{ detail.found }}</p></template>
              <template v-if="detail.why"><h4>{{ t['alert.why'] }}</h4><p>{{ detail.why }}</p></template>
              <p class="ze-faint">{{ t['alert.rule'] }} <code>{{ detail.rule }}</code> · {{ t['alert.dwell'] }} {{ detail.dwell }} · {{ t['alert.confidence'] }} {{ detail.confidence }}<template v-if="detail.risk"> · {{ t['alert.risk'] }} <code>{{ detail.risk }}</code></template></p>
              <p v-if="detail.settings.length" class="ze-faint" data-testid="alert-settings">{{ t['alert.settings'] }} <template v-for="(row, n) in detail.settings" :key="row.name"><template v-if="n"> · </template>{{ row.name }} {{ row.value }}</template></p>
              <h4>{{ t['alert.times'] }}</h4>
              <dl class="ze-times"><div><dt>{{ t['alert.room'] }}</dt><dd>{{ detail.room }}</dd></div><div v-for="row in detail.times" :key="row.label"><dt>{{ row.label }}</dt><dd>{{ row.at }}</dd></div></dl>
              <div class="ze-handling">
                <button v-if="detail.handling === 'new' && may" class="ze-button is-main is-large" data-testid="dialog-acknowledge" :disabled="!!sent[detail.id]" @click="acknowledge(detail)"><ze-sign name="check"/>{{ t['alert.acknowledge'] }}<kbd>{{ t['alert.space'] }}</kbd></button>
                <p v-if="detail.acknowledged" class="ze-done" data-testid="acknowledged-by"><ze-sign name="check"/>{{ detail.acknowledged }}</p>
                <p v-if="detail.disposition" class="ze-done" data-testid="disposition"><ze-sign name="check"/>{{ detail.handling_label }} · {{ detail.disposition }}<template v-if="detail.note"> · {{ detail.note }}</template></p>
                <form v-else-if="detail.handling !== 'new' && may" @submit.prevent="resolve" data-testid="resolve-form">
                  <h4>{{ t['alert.resolve_text'] }}</h4>
                  <div class="ze-choices"><label v-for="choice in detail.dispositions" :key="choice.id" :class="{ 'is-on': disposition === choice.id }"><input type="radio" name="disposition" :value="choice.id" v-model="disposition" :data-testid="'disposition-' + choice.id">{{ choice.label }}</label></div>
                  <div class="ze-resolve"><input v-model="note" maxlength="500" :placeholder="t['alert.note']" :aria-label="t['alert.note']" data-testid="resolve-note"><button class="ze-button is-main" type="submit" :disabled="!disposition" data-testid="resolve">{{ t['alert.resolve'] }}</button></div>
                </form>
              </div>
            </div>
          </div>
        </template>
      </ze-modal>
    </aside>`,
};
