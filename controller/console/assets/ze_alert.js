import { Clip, Modal, Sign, Still, Tracks } from "zeroentry-console";

const BARS = 240; // as many as a phone has room for

// The sound of an alert as a picture that is clicked to seek. Fetched only after somebody asked to listen: that is logged.
const Wave = {
  components: { ZeSign: Sign },
  props: { t: Object, sound: Object },
  data: () => ({ bars: [], at: 0, length_s: 0, failed: false }),
  mounted() {
    this.load();
  },
  watch: {
    "sound.url"() {
      this.load();
    },
  },
  methods: {
    async load() {
      const url = this.sound.url;
      this.bars = [];
      this.failed = false;
      try {
        const answer = await fetch(url, { credentials: "omit" });
        if (!answer.ok) throw new Error(String(answer.status));
        const audio = new OfflineAudioContext(1, 1, 16000);
        const heard = await audio.decodeAudioData(await answer.arrayBuffer());
        if (url !== this.sound.url) return;
        this.length_s = heard.duration;
        this.bars = this.peaks(heard.getChannelData(0));
      } catch {
        if (url === this.sound.url) this.failed = true;
      }
    },
    // The loudest sample of each slice, in decibels: speech beside a ringing telephone stays visible.
    peaks(samples) {
      const slice = Math.max(1, Math.floor(samples.length / BARS));
      return Array.from({ length: Math.min(BARS, samples.length) }, (_, n) => {
        let top = 0;
        for (let i = n * slice; i < Math.min((n + 1) * slice, samples.length); i++) top = Math.max(top, Math.abs(samples[i]));
        return Math.max(0.02, Math.min(1, 1 + (20 * Math.log10(top || 1e-6)) / 60));
      });
    },
    move() {
      this.at = this.length_s ? this.$refs.player.currentTime / this.length_s : 0;
    },
    seek(event) {
      const box = event.currentTarget.getBoundingClientRect();
      this.$refs.player.currentTime = ((event.clientX - box.x) / box.width) * this.length_s;
    },
  },
  template: `
    <div class="ze-wave" data-testid="wave" :data-state="failed ? 'failed' : bars.length ? 'drawn' : 'loading'">
      <svg v-if="bars.length" :viewBox="'0 0 ' + bars.length + ' 40'" preserveAspectRatio="none" role="img" :aria-label="t['wave.label']" @click="seek">
        <rect v-for="(bar, n) in bars" :key="n" :x="n + 0.15" :y="20 - bar * 19" width="0.7" :height="bar * 38" :class="{ 'is-past': n / bars.length <= at }"/>
        <line :x1="at * bars.length" :x2="at * bars.length" y1="0" y2="40" vector-effect="non-scaling-stroke"/></svg>
      <p v-else-if="failed" class="ze-faint">{{ t['wave.failed'] }}</p>
      <p v-else class="ze-clip-say" role="status"><i class="ze-spin"></i><span>{{ t['wave.loading'] }}</span></p>
      <audio ref="player" :src="sound.url" controls autoplay preload="auto" :aria-label="t['alert.sound']" data-testid="sound-player" @timeupdate="move" @seeked="move"></audio>
    </div>`,
};

// What else was happening in the room: lanes over one stretch of time, and the same as a list.
const Around = {
  components: { ZeSign: Sign },
  props: { t: Object, around: Object },
  data: () => ({ all: false }),
  methods: {
    left(ms) {
      return Math.max(0, Math.min(100, ((ms - this.around.from_ms) / (this.around.to_ms - this.around.from_ms)) * 100));
    },
    width(item) {
      return Math.max(0, this.left(item.to_ms) - this.left(item.from_ms));
    },
  },
  template: `
    <section class="ze-around" :aria-label="t['around.heading']" data-testid="around" :data-state="around.state">
      <header><h4>{{ t['around.heading'] }}</h4><span class="ze-faint ze-number">{{ around.span }}</span></header>
      <p v-if="around.state === 'loading'" class="ze-clip-say" role="status"><i class="ze-spin"></i><span>{{ t['around.loading'] }}</span></p>
      <p v-if="around.why" class="ze-faint" role="alert">{{ around.why }}</p>
      <div class="ze-lanes" aria-hidden="true">
        <div v-for="lane in around.lanes" :key="lane.id" class="ze-lane"><span>{{ lane.label }}</span>
          <div><i class="ze-lane-now" :style="{ left: left(around.at_ms) + '%' }"></i>
            <template v-for="(item, n) in lane.items" :key="n"><i v-if="item.to_ms" class="ze-lane-bar" :class="['is-' + item.look, { 'is-this': item.here }]" :style="{ left: left(item.from_ms) + '%', width: 'max(3px, ' + width(item) + '%)' }" :title="item.at + ' ' + item.label"></i>
              <i v-else class="ze-lane-dot" :class="'is-' + item.look" :style="{ left: left(item.from_ms) + '%' }" :title="item.at + ' ' + item.label"></i></template></div></div>
        <div class="ze-lane is-scale"><span></span><div><b v-for="mark in around.marks" :key="mark.ms" :style="{ left: left(mark.ms) + '%' }">{{ mark.at }}</b></div></div></div>
      <ol class="ze-around-list" data-testid="around-list"><li v-for="(item, n) in (all ? around.items : around.items.slice(0, 8))" :key="n" :class="{ 'is-this': item.here }"><time>{{ item.at }}</time><ze-sign :name="item.sign"/>
        <span><a v-if="item.href && !item.here" :href="item.href">{{ item.label }}</a><template v-else>{{ item.label }}</template> <small v-if="item.by" class="ze-faint">{{ item.by }}</small></span></li></ol>
      <p v-if="around.state === 'ready' && !around.items.length" class="ze-faint" data-testid="around-empty">{{ t['around.empty'] }}</p>
      <button v-if="around.items.length > 8" class="ze-button is-small is-quiet" :aria-expanded="all ? 'true' : 'false'" @click="all = !all">{{ all ? t['around.fewer'] : t['around.more'] + ' (' + around.items.length + ')' }}</button>
    </section>`,
};

const Body = {
  components: { ZeClip: Clip, ZeSign: Sign, ZeStill: Still, ZeTracks: Tracks, ZeWave: Wave, ZeAround: Around },
  props: { t: Object, detail: Object, clip: Object, sound: Object, around: Object, may_hear: Boolean, modal: Boolean },
  emits: ["close", "clip", "listen"],
  template: `
    <header class="ze-modal-head"><span class="ze-severity" :class="'is-' + detail.severity"><ze-sign :name="detail.severity"/>{{ detail.severity_label }}</span>
      <component :is="modal ? 'h2' : 'h1'">{{ detail.title }}</component><span class="ze-faint ze-number">{{ t['alert.number'] }} {{ detail.number }}</span>
      <a v-if="modal" class="ze-button is-quiet is-small ze-alert-apart" :href="'/alerts/' + detail.id" data-testid="alert-address">{{ t['around.address'] }}</a>
      <button v-if="modal" class="ze-button is-quiet is-square" :aria-label="t['alert.close']" data-testid="alert-close" @click="$emit('close')"><ze-sign name="cross"/></button></header>
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
          <template v-else><ze-wave :t="t" :sound="sound"/><small class="ze-faint ze-number">{{ t['alert.since'] }} {{ sound.from }}</small></template></section>
        <template v-if="detail.tracks.length"><h4>{{ t['track.heading'] }}</h4><ze-tracks :t="t" :tracks="detail.tracks"/>
          <p v-if="detail.clock" class="ze-faint" data-testid="alert-clock">{{ t['track.clock'] }} <b :class="{ 'is-doubtful': !detail.clock.good }">{{ detail.clock.label }}</b> {{ detail.clock.offset }}</p></template>
      </div>
      <div class="ze-detail-right">
        <dl class="ze-measured"><div v-for="row in detail.rows" :key="row.name"><dt>{{ row.name }}</dt><dd><b>{{ row.value }}</b><span v-if="row.limit">{{ t['alert.limit'] }} {{ row.limit }}</span></dd></div></dl>
        <template v-if="detail.found"><h4>{{ t['alert.found'] }}</h4><p data-testid="alert-found">{{ detail.found }}</p></template>
        <template v-if="detail.why"><h4>{{ t['alert.why'] }}</h4><p>{{ detail.why }}</p></template>
        <p class="ze-faint">{{ t['alert.rule'] }} <a class="ze-rule-link" :href="'/alerts?rule=' + detail.rule" :title="t['around.rule']" data-testid="alert-rule"><code>{{ detail.rule }}</code></a> · {{ t['alert.dwell'] }} {{ detail.dwell }} · {{ t['alert.confidence'] }} {{ detail.confidence }}<template v-if="detail.risk"> · {{ t['alert.risk'] }} <code>{{ detail.risk }}</code></template></p>
        <p v-if="detail.settings.length" class="ze-faint" data-testid="alert-settings">{{ t['alert.settings'] }} <template v-for="(row, n) in detail.settings" :key="row.name"><template v-if="n"> · </template>{{ row.name }} {{ row.value }}</template></p>
        <slot/>
        <h4>{{ t['alert.times'] }}</h4>
        <dl class="ze-times"><div><dt>{{ t['alert.room'] }}</dt><dd>{{ detail.room }}</dd></div><div v-for="row in detail.times" :key="row.label"><dt>{{ row.label }}</dt><dd>{{ row.at }}</dd></div>
          <div v-if="detail.session"><dt>{{ t['around.session'] }}</dt><dd><a class="ze-rule-link" :href="'/sessions/' + detail.session.id">{{ detail.session.title }}</a></dd></div></dl>
      </div>
      <ze-around v-if="around" :t="t" :around="around"/>
    </div>`,
};

export default {
  components: { ZeBody: Body, ZeModal: Modal, ZeSign: Sign },
  props: { t: Object, detail: Object, clip: Object, sound: Object, around: Object, may_hear: Boolean, modal: Boolean, missing: Boolean, loading: Boolean },
  emits: ["close", "clip", "listen"],
  template: `
    <ze-modal v-if="modal" :open="!!detail" wide :label="detail ? detail.title : ''" testid="alert-dialog" @close="$emit('close')">
      <ze-body v-if="detail" :t="t" :detail="detail" :clip="clip" :sound="sound" :around="around" :may_hear="may_hear" modal @close="$emit('close')" @clip="$emit('clip', $event)" @listen="$emit('listen')"><slot/></ze-body>
    </ze-modal>
    <article v-else class="ze-alert-page" data-testid="alert-page">
      <p v-if="loading" class="ze-empty" role="status"><i class="ze-spin"></i>{{ t['state.loading'] }}</p>
      <p v-else-if="!detail" class="ze-empty" data-testid="alert-missing"><ze-sign name="bell"/><b>{{ t['around.missing'] }}</b><a class="ze-button is-small" href="/alerts">{{ t['around.list'] }}</a></p>
      <ze-body v-else :t="t" :detail="detail" :clip="clip" :sound="sound" :around="around" :may_hear="may_hear" @clip="$emit('clip', $event)" @listen="$emit('listen')"><slot/></ze-body>
    </article>`,
};
