import { Mark, Sign, Ticking } from "zeroentry-console";

export default {
  mixins: [Ticking],
  components: { ZeMark: Mark, ZeSign: Sign },
  props: { t: Object, site: String, user: String, nav: Array, link: String, waiting: Number, server_ms: Number, zone: String, lang: String, sounds: Boolean },
  emits: ["language", "logout"],
  data: () => ({ muted: localStorage.getItem("ze_muted") === "1" }),
  created() {
    this.settle();
    window.ze_muted = this.muted;
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
    lang() {
      document.documentElement.lang = this.lang;
    },
  },
  mounted() {
    document.documentElement.lang = this.lang;
    this.name();
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
      document.title = (this.waiting ? `(${this.waiting}) ` : "") + this.t["app.title"];
    },
    mute() {
      this.muted = !this.muted;
      window.ze_muted = this.muted;
      localStorage.setItem("ze_muted", this.muted ? "1" : "0");
    },
  },
  template: `
    <header class="ze-header">
      <a class="ze-brand" href="/" data-testid="brand"><ze-mark/><span><b>{{ t['app.name'] }}</b><small>{{ site }}</small></span></a>
      <nav class="ze-nav" :aria-label="t['header.menu']">
        <a v-for="item in nav" :key="item.href" :href="item.href" :class="{ 'is-here': item.here }"
           :aria-current="item.here ? 'page' : null" :target="item.apart ? '_blank' : null" :data-testid="'nav-' + item.id">
          <ze-sign :name="item.sign"/><span>{{ item.label }}</span></a>
      </nav>
      <div class="ze-header-right">
        <span class="ze-link" :class="'is-' + link" role="status" data-testid="link-state" :data-state="link">
          <ze-sign :name="link === 'live' ? 'dot' : link === 'lost' ? 'link_off' : 'clock'"/>{{ t['header.' + (link === 'signed_out' ? 'lost' : link)] }}</span>
        <span class="ze-clock" aria-hidden="true"><b>{{ clock }}</b><small>{{ day }}</small></span>
        <button v-if="sounds" class="ze-button is-quiet is-square" :aria-pressed="muted ? 'true' : 'false'" data-testid="mute"
                :title="t[muted ? 'header.sound_off' : 'header.sound_on']" :aria-label="t[muted ? 'header.sound_off' : 'header.sound_on']"
                @click="mute"><ze-sign :name="muted ? 'sound_off' : 'sound'"/></button>
        <button class="ze-button is-quiet" data-testid="language" :title="t['header.language_hint']" @click="$emit('language')">
          <ze-sign name="globe"/><span class="ze-wide-only">{{ t['header.language'] }}</span></button>
        <span class="ze-user ze-wide-only" data-testid="user"><ze-sign name="person"/>{{ user }}</span>
        <button class="ze-button is-quiet is-square" data-testid="logout" :title="t['header.logout']" :aria-label="t['header.logout']"
                @click="$emit('logout')"><ze-sign name="leave"/></button>
      </div>
    </header>`,
};
