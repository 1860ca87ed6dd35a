// What the parts of the pages share: drawn signs, elapsed times, modal dialogs.

const STROKED = {
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6zM12 14.5v2",
  unlock: "M7 11V8a5 5 0 0 1 9.6-2M6 11h12v9H6z",
  group:
    "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 20c0-3.3 2.7-6 6-6s6 2.7 6 6M16 5.3a3 3 0 0 1 0 5.6M17.8 14.4c1.9.9 3.2 3 3.2 5.6",
  person: "M12 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 20.5c0-3.9 3.1-6.5 7-6.5s7 2.6 7 6.5",
  calendar: "M4 6h16v14H4zM4 10h16M8 3.5V7M16 3.5V7",
  pause: "M9 6v12M15 6v12",
  camera: "M3 7h12v10H3zM15 11l6-3v8l-6-3",
  camera_off: "M3 7h3M9.5 7H15v4l6-3v8l-4-2M15 15v2H3V7M3 3l18 18",
  frozen: "M12 3v18M4.2 7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5 12 7l2.5-2.5M9.5 19.5 12 17l2.5 2.5",
  sound: "M4 10v4h4l5 4V6l-5 4zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11",
  sound_off: "M4 10v4h4l5 4V6l-5 4zM17 10l4 4M21 10l-4 4",
  eye_off:
    "M3 3l18 18M10.6 6.1c.5-.1.9-.1 1.4-.1 5 0 8.5 4 9.5 6a13 13 0 0 1-2.8 3.5M6.5 7.6A13.4 13.4 0 0 0 2.5 12c1 2 4.5 6 9.5 6 1.6 0 3-.4 4.2-1M9.9 9.9a3 3 0 0 0 4.2 4.2",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
  robot: "M5 9h14v9H5zM8.5 18v2.5M15.5 18v2.5M12 9V5M9.5 13h.01M14.5 13h.01M10.5 5h3",
  box: "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8",
  meal: "M5 3v7a2.5 2.5 0 0 0 5 0V3M7.5 3v18M16 3c-2 1.5-3 4-3 7 0 2 1 3 3 3zM16 3v18",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
  person_add: "M10 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20.5c0-3.9 3.1-6.5 7-6.5 1.2 0 2.4.3 3.4.7M18 14v6M15 17h6",
  barrier: "M4 8h16v5H4zM7 13v7M17 13v7M8 8l-3 5M13 8l-3 5M18 8l-3 5",
  globe: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  leave: "M14 4H5v16h9M10 12h11M17.5 8.5 21 12l-3.5 3.5",
  print: "M7 8V3.5h10V8M7 17H4V8h16v9h-3M7 14h10v6.5H7z",
  report: "M6 3h9l4 4v14H6zM14.5 3v5H19M9 12h7M9 15.5h7",
  backspace: "M9 5h11v14H9l-6-7zM12.5 9.5l5 5M17.5 9.5l-5 5",
  link_off: "M3 3l18 18M9 17H7a5 5 0 0 1-1.6-9.7M15 7h2a5 5 0 0 1 2.8 9.1M9 12h3",
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11M11 10.5V4.5a1.5 1.5 0 0 1 3 0V11M14 11V6a1.5 1.5 0 0 1 3 0v8c0 4-2.2 6.5-5.5 6.5-3 0-4.3-1.4-6-5L4 12.6c-.5-1.4 1.2-2.3 2.2-1.2L8 13.5",
  grid: "M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z",
  tablet: "M6 3h12v18H6zM11 18h2",
  door: "M6 21V3h12v18M4 21h16M14.5 12v.01",
  record: "M12 19a7 7 0 1 0 0-14 7 7 0 0 0 0 14z",
  record_off: "M12 19a7 7 0 0 0 6.4-9.8M16.9 7A7 7 0 0 0 7.1 17M3.5 3.5l17 17",
  menu: "M4 7h16M4 12h16M4 17h16",
  chevron: "M7 10l5 5 5-5",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2.5h-15zM10 21h4",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 21 21",
  archive: "M4 5h16v4H4zM5.5 9v10.5h13V9M10 13h4",
  chart: "M4 20h16M7 20v-7M12 20V6M17 20v-10",
  link: "M10 14a4 4 0 0 1 0-5.7l3-3a4 4 0 0 1 5.7 5.7l-1.5 1.5M14 10a4 4 0 0 1 0 5.7l-3 3a4 4 0 0 1-5.7-5.7l1.500-1.5",
  gear: "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM12 2.500v3M12 18.500v3M2.500 12h3M18.500 12h3M5.300 5.300l2.100 2.100M16.600 16.600l2.100 2.100M18.700 5.300l-2.100 2.100M7.400 16.600l-2.100 2.100",
  key: "M8 14a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM11.500 12.500 20 12.500M17 12.500v3.500M20 12.500v2.500",
  ear: "M7 10a5 5 0 0 1 10 0c0 3-3 4-3 7a3 3 0 0 1-5 2M10 10a2 2 0 0 1 4 0c0 1.500-1 2-1.500 3",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  play: "M8 5.500v13l10.500-6.500z",
  help: "M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 17.500v.2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  mic: "M12 14a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v5a3 3 0 0 0 3 3zM6 11a6 6 0 0 0 12 0M12 17v4",
  dot: "M12 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
};

// Alert signs differ in outline, so that they are told apart without their colour.
const FILLED = {
  alarm: "M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8z",
  warning: "M12 2.8 22.5 21h-21z",
  notice: "M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19z",
};

export const Sign = {
  props: { name: String },
  computed: {
    stroked() {
      return STROKED[this.name];
    },
    filled() {
      return FILLED[this.name];
    },
  },
  template: `
    <svg class="ze-sign" :class="'is-' + name" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <template v-if="filled">
        <path :d="filled" fill="currentColor"/>
        <path class="ze-sign-mark" :d="name === 'notice' ? 'M12 11v6M12 7.4v.2' : name === 'warning' ? 'M12 9.5v5M12 17.6v.2' : 'M12 7v6.4M12 16.6v.2'"/>
      </template>
      <path v-else :d="stroked" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>
    </svg>`,
};

// A room's recordings: state, last entry of the chain, what the controller has witnessed of it.
export const Tracks = {
  components: { ZeSign: Sign },
  props: { t: Object, tracks: Array },
  methods: { record_sign: (state) => record_sign(state) },
  template: `
    <div class="ze-tracks"><table data-testid="tracks">
      <thead><tr><th>{{ t['track.track'] }}</th><th>{{ t['track.state'] }}</th><th>{{ t['track.entry'] }}</th><th>{{ t['track.witnessed'] }}</th></tr></thead>
      <tbody><tr v-for="track in tracks" :key="track.id" :data-testid="'track-' + track.id" :data-state="track.state">
        <td>{{ track.name }} <small>{{ track.kind }}</small></td>
        <td><span class="ze-rec" :class="'is-' + track.state"><ze-sign :name="record_sign(track.state)"/>{{ track.label }}</span> <small v-if="track.since">{{ t['track.since'] }} {{ track.since }}</small>
          <span v-if="track.broken" class="ze-chip is-alarm"><ze-sign name="link_off"/>{{ t['track.broken'] }}</span></td>
        <td><b>{{ track.entry }}</b> <small>{{ track.entry_at }}</small></td>
        <td><b>{{ track.witnessed }}</b> <small>{{ track.witnessed_at }}</small> <small v-if="track.behind" class="is-behind-witness">{{ t['track.behind'] }}</small><small v-if="track.known_from"> {{ t['track.known_from'] }} {{ track.known_from }}</small></td></tr></tbody>
    </table></div>`,
};

export const record_sign = (state) => ({ recording: "record", starting: "clock", stopped: "pause" })[state] || "record_off";

export const Mark = {
  template: `
    <svg class="ze-mark" viewBox="0 0 48 48" aria-hidden="true" focusable="false">
      <path d="M24 4c10 0 16 8.3 16 20s-6 20-16 20S8 35.7 8 24 14 4 24 4z" fill="none" stroke="currentColor" stroke-width="4.5"/>
      <path d="M2.500 24h14.500M31 24h14.5" stroke="var(--ze-ink-0)" stroke-width="10"/>
      <path d="M15 24h18" stroke="var(--ze-accent)" stroke-width="5" stroke-linecap="round"/>
    </svg>`,
};

// Two tones that fall; a call from a room rises instead, so that ears tell them apart.
export function ring(audio, volume, kind) {
  const tones = kind === "call" ? [[0, 520], [0.22, 780], [0.7, 520], [0.92, 780]] : [[0, 880], [0.18, 660], [0.5, 880], [0.68, 660]];
  const now = audio.currentTime;
  for (const [at, pitch] of tones) {
    const source = audio.createOscillator();
    const gain = audio.createGain();
    source.frequency.value = pitch;
    gain.gain.setValueAtTime(0, now + at);
    gain.gain.linearRampToValueAtTime(0.3 * volume, now + at + 0.015);
    gain.gain.exponentialRampToValueAtTime(0.001, now + at + 0.17);
    source.connect(gain).connect(audio.destination);
    source.start(now + at);
    source.stop(now + at + 0.18);
  }
}

export const seal_sign = (state) =>
  ({
    sealed: "lock",
    gathering: "group",
    scheduled: "calendar",
    suspended: "pause",
    released: "unlock",
    archived: "report",
  })[state] || "minus";

const two = (n) => String(n).padStart(2, "0");

// 0:42, 12:05, 3:07:20 between two moments in milliseconds.
export function elapsed(from_ms, to_ms) {
  const s = Math.max(0, Math.floor((to_ms - from_ms) / 1000));
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

// The controller's time: the browser's clock may be wrong by hours.
export const Ticking = {
  data: () => ({ now_ms: 0, ticker: 0 }),
  created() {
    const tick = () => (this.now_ms = Date.now() + (window.ze_offset_ms || 0));
    tick();
    this.ticker = setInterval(tick, 1000);
  },
  beforeUnmount() {
    clearInterval(this.ticker);
  },
};

// <ze-modal :open="..." @close="..."> with focus kept inside and Escape, as the browser does it.
export const Modal = {
  props: { open: Boolean, label: String, wide: Boolean, testid: String, keep: Boolean }, // keep: what is inside lives on while it is shut
  emits: ["close"],
  mounted() {
    this.follow();
  },
  watch: {
    open() {
      this.follow();
    },
  },
  methods: {
    follow() {
      const dialog = this.$refs.dialog;
      if (this.open && !dialog.open) dialog.showModal();
      if (!this.open && dialog.open) dialog.close();
    },
    outside(event) {
      if (event.target === this.$refs.dialog) this.$emit("close");
    },
  },
  template: `
    <dialog ref="dialog" class="ze-modal" :class="{ 'is-wide': wide }" :aria-label="label" :data-testid="testid"
            @cancel.prevent="$emit('close')" @click="outside">
      <div class="ze-modal-body" v-if="open || keep"><slot/></div>
    </dialog>`,
};

const PICTURE_TRIES = 20;
const PICTURE_RETRY_MS = 1500;

// An alert comes before its picture: the controller fetches that from the edge node meanwhile.
export const Still = {
  props: { src: String, label: String },
  data: () => ({ tries: 0, timer: 0 }),
  watch: {
    src(now, before) {
      if (now.split("?")[0] !== before.split("?")[0]) this.tries = 0;
    },
  },
  computed: {
    url() {
      return this.tries ? this.src + "&try=" + this.tries : this.src;
    },
  },
  methods: {
    again() {
      clearTimeout(this.timer);
      if (this.tries < PICTURE_TRIES) this.timer = setTimeout(() => this.tries++, PICTURE_RETRY_MS);
    },
  },
  beforeUnmount() {
    clearTimeout(this.timer);
  },
  template: `<img :src="url" :alt="label || ''" @error="again">`,
};

const CLIP_TRIES = 3;
const CLIP_RETRY_MS = 2000;

// What a camera recorded around an alert, from its edge node straight into the browser.
export const Clip = {
  mixins: [Ticking],
  components: { ZeSign: Sign },
  props: { t: Object, clip: Object },
  emits: ["again"],
  data: () => ({ tries: 0, trouble: "", ready: false, timer: 0, asked: -1 }),
  watch: {
    "clip.url"() {
      this.restart();
    },
  },
  computed: {
    complete() {
      return this.now_ms >= this.clip.complete_ms;
    },
    left() {
      return Math.max(1, Math.ceil((this.clip.complete_ms - this.now_ms) / 1000));
    },
    // Until the answer to our own question is there, the address before it is not tried again.
    state() {
      return this.clip.state === "ready" && this.clip.asked === this.asked ? "asking" : this.clip.state;
    },
    src() {
      if (this.state !== "ready") return "";
      if (!this.clip.early && !this.complete) return "";
      return this.tries ? this.clip.url + "&try=" + this.tries : this.clip.url;
    },
  },
  methods: {
    restart() {
      clearTimeout(this.timer);
      this.tries = 0;
      this.trouble = "";
      this.ready = false;
    },
    ask(early) {
      this.restart();
      this.asked = this.clip.asked;
      this.$emit("again", early);
    },
    // A video does not say why it failed: any answer at all tells a node that refuses from one that is away.
    async failed() {
      const src = this.src;
      const answers = await fetch(src, { mode: "no-cors", cache: "no-store", headers: { Range: "bytes=0-0" } }).then(
        () => true,
        () => false,
      );
      if (src !== this.src) return;
      // Right after the end its last second may not be on the node's disk, or the clocks differ a little.
      const fresh = this.now_ms < this.clip.complete_ms + 10000;
      if (answers && fresh && this.tries < CLIP_TRIES) {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.tries++, CLIP_RETRY_MS);
      } else {
        this.trouble = answers ? "failed" : "away";
      }
    },
  },
  beforeUnmount() {
    clearTimeout(this.timer);
  },
  template: `
    <section class="ze-clip" :aria-label="t['clip.heading']" data-testid="clip" :data-state="trouble || (src ? 'playing' : state === 'ready' ? 'waiting' : state)">
      <header><h4>{{ t['clip.heading'] }}</h4><span class="ze-faint">{{ t['clip.span'] }}</span><span v-if="clip.span" class="ze-faint ze-number">{{ clip.span }}</span>
        <a v-if="state === 'ready'" class="ze-button is-small is-quiet" :href="clip.recordings" target="_blank" rel="noopener noreferrer" data-testid="clip-recordings"><ze-sign name="clock"/>{{ t['clip.around'] }}<span class="ze-hidden">({{ t['clip.new_tab'] }})</span></a></header>
      <div class="ze-clip-view">
        <video v-if="src && !trouble" :key="src" :src="src" controls playsinline preload="metadata" :aria-label="t['clip.video']" data-testid="clip-video" @loadedmetadata="ready = true" @error="failed"></video>
        <p v-if="trouble || state === 'refused'" class="ze-clip-say is-trouble" role="alert" data-testid="clip-trouble"><ze-sign name="link_off"/><span>{{ trouble ? t['clip.' + trouble] : clip.why }}</span>
          <button class="ze-button is-small" data-testid="clip-again" @click="ask(clip.early && !complete)">{{ t['clip.again'] }}</button></p>
        <p v-else-if="state === 'asking'" class="ze-clip-say" role="status"><i class="ze-spin"></i><span>{{ t['clip.asking'] }}</span></p>
        <p v-else-if="!src" class="ze-clip-say" data-testid="clip-waiting"><ze-sign name="clock"/><span role="status">{{ t['clip.waiting'] }} <b class="ze-number">{{ clip.complete_at }}</b></span><small class="ze-number" aria-hidden="true">{{ t['clip.left'] }} {{ left }} {{ t['alert.sec'] }}</small>
          <button class="ze-button is-small" data-testid="clip-early" @click="ask(true)">{{ t['clip.early'] }}</button></p>
        <p v-else-if="!ready" class="ze-clip-say is-over" role="status"><i class="ze-spin"></i><span>{{ t['clip.loading'] }}</span></p>
      </div>
      <p class="ze-clip-foot" v-if="state === 'ready' && clip.early">
        <button v-if="complete" class="ze-button is-small" data-testid="clip-whole" @click="ask(false)"><ze-sign name="record"/>{{ t['clip.whole'] }}</button>
        <span v-else class="ze-faint">{{ t['clip.waiting'] }} {{ clip.complete_at }}</span></p>
    </section>`,
};

export const typing = (event) => {
  const at = event.target;
  return at instanceof HTMLElement && (at.closest("input, textarea, select, dialog") || at.isContentEditable);
};
