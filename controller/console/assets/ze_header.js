import { Mark, Modal, Sign, Ticking, ring } from "zeroentry-console";

const AGAIN_MS = 10000; // an alarm that nobody has acknowledged sounds again

const stored = (name, otherwise) => localStorage.getItem(name) ?? otherwise;

// Links, and groups of links that fold out below their name.
const Menu = {
  components: { ZeSign: Sign },
  props: { t: Object, nav: Array, waiting: Number },
  data: () => ({ unfolded: "" }),
  mounted() {
    document.addEventListener("pointerdown", this.outside);
  },
  beforeUnmount() {
    document.removeEventListener("pointerdown", this.outside);
  },
  methods: {
    outside(event) {
      if (!this.$el.contains(event.target)) this.unfolded = "";
    },
    left(event) {
      // Nowhere: the wall takes the focus from a clicked button, and the menu stays.
      if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) this.unfolded = "";
    },
    fold(group, event) {
      this.unfolded = "";
      event.currentTarget.closest(".ze-nav-group").querySelector("button").focus();
    },
    async unfold(group, event) {
      this.unfolded = group.id;
      const at = event.currentTarget.closest(".ze-nav-group");
      await this.$nextTick();
      at.querySelector("a").focus();
    },
    step(event, by) {
      const links = [...event.currentTarget.querySelectorAll("a")];
      const next = (links.indexOf(document.activeElement) + by + links.length) % links.length;
      links[next].focus();
    },
  },
  template: `
    <nav class="ze-nav" :aria-label="t['header.menu']" data-testid="nav">
      <template v-for="item in nav" :key="item.id">
        <a v-if="!item.items.length" :href="item.href" :class="{ 'is-here': item.here }" :aria-current="item.here ? 'page' : null"
           :target="item.apart ? '_blank' : null" :data-testid="'nav-' + item.id"><ze-sign :name="item.sign"/><span>{{ item.label }}</span>
           <b v-if="item.id === 'alerts' && waiting" class="ze-badge" data-testid="nav-waiting">{{ waiting }}<span class="ze-hidden">{{ t['header.unacknowledged'] }}</span></b></a>
        <div v-else class="ze-nav-group" @focusout="left" @keydown.esc.stop="unfolded && fold(item, $event)">
          <button :class="{ 'is-here': item.here }" :aria-expanded="unfolded === item.id ? 'true' : 'false'" :aria-controls="'ze-menu-' + item.id" :data-testid="'nav-' + item.id"
                  @click="unfolded = unfolded === item.id ? '' : item.id" @keydown.down.prevent="unfold(item, $event)">{{ item.label }}<ze-sign name="chevron"/></button>
          <div v-show="unfolded === item.id" :id="'ze-menu-' + item.id" class="ze-nav-menu" @keydown.down.prevent="step($event, 1)" @keydown.up.prevent="step($event, -1)">
            <a v-for="one in item.items" :key="one.id" :href="one.href" :class="{ 'is-here': one.here }" :aria-current="one.here ? 'page' : null"
               :target="one.apart ? '_blank' : null" :data-testid="'nav-' + one.id"><ze-sign :name="one.sign"/><span>{{ one.label }}</span>
               <small v-if="one.apart" class="ze-hidden">{{ t['nav.apart'] }}</small></a></div></div>
      </template>
    </nav>`,
};

// Rings for what nobody has acknowledged; says so when the browser will not let it.
const Ring = {
  components: { ZeSign: Sign },
  props: { t: Object, ringing: Array },
  data: () => ({ on: stored("ze_muted", "0") !== "1", from: stored("ze_ring_from", "alarm"), volume: Number(stored("ze_ring_volume", "0.6")), blocked: false, missed: false, unfolded: false, known: null, rung: 0, timer: 0 }),
  mounted() {
    this.audio = new AudioContext();
    this.audio.onstatechange = () => this.look();
    document.addEventListener("pointerdown", this.wake);
    document.addEventListener("keydown", this.wake);
    document.addEventListener("pointerdown", this.outside);
    this.look();
    this.timer = setInterval(() => this.wanted.some((one) => one.severity !== "warning") && this.sound(), AGAIN_MS);
    this.heed();
  },
  beforeUnmount() {
    clearInterval(this.timer);
    document.removeEventListener("pointerdown", this.wake);
    document.removeEventListener("keydown", this.wake);
    document.removeEventListener("pointerdown", this.outside);
    this.audio.close();
  },
  watch: {
    ringing() {
      this.heed();
    },
  },
  computed: {
    wanted() {
      return this.ringing.filter((one) => one.severity !== "warning" || this.from === "warning");
    },
    state() {
      return this.on ? (this.blocked ? "blocked" : "on") : "off";
    },
  },
  methods: {
    outside(event) {
      if (!this.$el.contains(event.target)) this.unfolded = false;
    },
    look() {
      this.blocked = this.audio.state !== "running";
    },
    async wake() {
      if (this.audio.state === "running") return;
      await this.audio.resume().catch(() => {});
      this.look();
      if (this.missed && !this.blocked) this.sound();
    },
    heed() {
      const now = new Set(this.wanted.map((one) => one.id));
      if (this.known && [...now].some((id) => !this.known.has(id))) this.sound();
      this.known = now;
      if (!now.size) this.missed = false;
    },
    sound() {
      if (!this.on) return;
      this.missed = this.blocked;
      if (this.blocked) return;
      this.rung++;
      ring(this.audio, this.volume, this.wanted.some((one) => one.severity === "call") ? "call" : "alarm");
    },
    keep() {
      localStorage.setItem("ze_muted", this.on ? "0" : "1");
      localStorage.setItem("ze_ring_from", this.from);
      localStorage.setItem("ze_ring_volume", String(this.volume));
    },
    async hear() {
      await this.wake();
      ring(this.audio, this.volume, "alarm");
    },
  },
  template: `
    <div class="ze-ring" @keydown.esc.stop="unfolded = false" data-testid="ring" :data-state="state" :data-rung="rung">
      <button class="ze-button is-quiet" :class="{ 'is-blocked': state === 'blocked', 'is-square': state !== 'blocked' }" data-testid="mute" :aria-expanded="unfolded ? 'true' : 'false'"
              :title="t['ring.' + state]" :aria-label="t['ring.' + state]" @click="unfolded = !unfolded"><ze-sign :name="state === 'on' ? 'sound' : 'sound_off'"/>
        <span v-if="state === 'blocked'" class="ze-wide-only">{{ t['ring.blocked_short'] }}</span></button>
      <p v-if="state === 'blocked' && missed" class="ze-ring-missed" role="alert" data-testid="ring-missed"><ze-sign name="sound_off"/>{{ t['ring.blocked'] }}</p>
      <div v-show="unfolded" class="ze-nav-menu is-right ze-ring-menu" role="group" :aria-label="t['ring.heading']">
        <p v-if="state === 'blocked'" class="ze-ring-note">{{ t['ring.blocked'] }}</p>
        <label><input type="checkbox" v-model="on" @change="keep" data-testid="ring-on"> {{ t['ring.sounds'] }}</label>
        <label>{{ t['ring.for'] }} <select v-model="from" @change="keep; known = null; heed()" data-testid="ring-from"><option value="alarm">{{ t['ring.alarm'] }}</option><option value="warning">{{ t['ring.warning'] }}</option></select></label>
        <label>{{ t['ring.volume'] }} <input type="range" min="0.1" max="1" step="0.1" v-model.number="volume" @change="keep"></label>
        <p class="ze-ring-note">{{ t['ring.repeats'] }}</p>
        <button class="ze-button is-small" @click="hear" data-testid="ring-try"><ze-sign name="sound"/>{{ t['ring.try'] }}</button>
      </div>
    </div>`,
};

export default {
  mixins: [Ticking],
  components: { ZeMark: Mark, ZeSign: Sign, ZeMenu: Menu, ZeRing: Ring, ZeModal: Modal },
  props: { t: Object, site: String, user: String, roles: String, nav: Array, link: String, waiting: Number, ringing: Array, server_ms: Number, zone: String, lang: String, sounds: Boolean, here: String },
  emits: ["language", "logout"],
  data: () => ({ drawer: false, mine: false }),
  created() {
    this.settle();
  },
  watch: {
    server_ms() {
      this.settle();
    },
    waiting() {
      this.name();
    },
    t() {
      this.name();
    },
  },
  mounted() {
    document.documentElement.lang = this.lang;
    // Quasar's frame is a <main> around ours: a page has one.
    document.querySelector("main.q-page")?.setAttribute("role", "none");
    this.name();
    document.addEventListener("pointerdown", this.outside);
  },
  beforeUnmount() {
    document.removeEventListener("pointerdown", this.outside);
  },
  computed: {
    clock() {
      const form = { timeZone: this.zone || "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
      return new Intl.DateTimeFormat("en-GB", form).format(this.now_ms);
    },
    day() {
      const form = { timeZone: this.zone || "UTC", weekday: "short", month: "short", day: "numeric" };
      return new Intl.DateTimeFormat(this.lang, form).format(this.now_ms);
    },
  },
  methods: {
    settle() {
      if (this.server_ms) window.ze_offset_ms = this.server_ms - Date.now();
    },
    name() {
      document.title = (this.waiting ? `(${this.waiting}) ` : "") + (this.here ? `${this.here} · ` : "") + this.t["app.title"];
    },
    outside(event) {
      if (this.$refs.mine && !this.$refs.mine.contains(event.target)) this.mine = false;
    },
    skip() {
      const main = document.querySelector("main:not([role])");
      if (!main) return;
      main.tabIndex = -1;
      main.focus();
    },
  },
  template: `
    <header class="ze-header">
      <button class="ze-skip" @click="skip">{{ t['nav.skip'] }}</button>
      <button class="ze-button is-quiet is-square ze-drawer-button" :aria-label="t['nav.open']" aria-haspopup="dialog" data-testid="drawer-open" @click="drawer = true"><ze-sign name="menu"/>
        <b v-if="waiting" class="ze-badge">{{ waiting }}</b></button>
      <a class="ze-brand" href="/" data-testid="brand"><ze-mark/><span><b>{{ t['app.name'] }}</b><small>{{ site }}</small></span></a>
      <ze-menu class="ze-nav-bar" :t="t" :nav="nav" :waiting="waiting"/>
      <div class="ze-header-right">
        <span class="ze-link" :class="'is-' + link" role="status" data-testid="link-state" :data-state="link">
          <ze-sign :name="link === 'live' ? 'dot' : link === 'lost' ? 'link_off' : 'clock'"/>{{ t['header.' + (link === 'signed_out' ? 'lost' : link)] }}</span>
        <span class="ze-clock" aria-hidden="true"><b>{{ clock }}</b><small>{{ day }}</small></span>
        <ze-ring v-if="sounds" :t="t" :ringing="ringing"/>
        <button class="ze-button is-quiet" data-testid="language" :title="t['header.language_hint']" :aria-label="t['header.language_hint']" @click="$emit('language')">
          <ze-sign name="globe"/><span class="ze-wide-only">{{ t['header.language'] }}</span></button>
        <div class="ze-mine" ref="mine" @keydown.esc.stop="mine = false">
          <button class="ze-button is-quiet ze-user" :aria-expanded="mine ? 'true' : 'false'" :aria-label="user" data-testid="user" @click="mine = !mine"><ze-sign name="person"/><span class="ze-wide-only">{{ user }}</span></button>
          <div v-show="mine" class="ze-nav-menu is-right">
            <p class="ze-mine-who"><b>{{ user }}</b><small>{{ roles }}</small></p>
            <a href="/account" data-testid="nav-account"><ze-sign name="person"/><span>{{ t['nav.account'] }}</span></a>
            <button data-testid="logout" @click="$emit('logout')"><ze-sign name="leave"/><span>{{ t['header.logout'] }}</span></button></div></div>
      </div>
      <ze-modal class="ze-drawer" :open="drawer" :label="t['header.menu']" testid="drawer" @close="drawer = false">
        <header><ze-mark/><b>{{ site }}</b><button class="ze-button is-quiet is-square" :aria-label="t['nav.close']" data-testid="drawer-close" @click="drawer = false"><ze-sign name="cross"/></button></header>
        <nav :aria-label="t['header.menu']">
          <template v-for="item in nav" :key="item.id"><h3 v-if="item.items.length">{{ item.label }}</h3>
            <a v-for="one in (item.items.length ? item.items : [item])" :key="one.id" :href="one.href" :class="{ 'is-here': one.here }" :aria-current="one.here ? 'page' : null" :data-testid="'drawer-' + one.id">
              <ze-sign :name="one.sign"/><span>{{ one.label }}</span><b v-if="one.id === 'alerts' && waiting" class="ze-badge">{{ waiting }}</b></a></template>
          <h3>{{ user }}</h3>
          <a href="/account"><ze-sign name="person"/><span>{{ t['nav.account'] }}</span></a>
          <button @click="$emit('logout')"><ze-sign name="leave"/><span>{{ t['header.logout'] }}</span></button></nav>
      </ze-modal>
    </header>`,
};
