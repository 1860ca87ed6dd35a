import { Modal, Sign, Tracks, record_sign, seal_sign, typing } from "zeroentry-console";

const RETRY_MS = 3000;
const ROTATE_MS = 15000; // long enough to look at sixteen pictures
const STREAMS_MAX = 4; // a browser opens six connections to one host: two stay free for stills
const LAYOUTS = ["auto", "1", "4", "9", "16", "25", "64"];
const SEEN_SOON_MS = 150;

// Many small pictures need not move: what nodes and network carry stays the same.
const still_ms = (tiles) => (tiles <= 9 ? 1000 : tiles <= 16 ? 2000 : tiles <= 25 ? 3000 : 6000);

// A live picture that never blinks: a new address is fetched behind the old picture and then takes its place.
const Picture = {
  props: { src: String, still: String, label: String, every_ms: { type: Number, default: 1000 } },
  emits: ["failed"],
  data: () => ({ front: "", back: "", beat: 0, timer: 0, wait: 0 }),
  created() {
    this.begin();
  },
  watch: {
    src() {
      this.begin();
    },
    still() {
      if (!this.src) this.begin();
    },
    every_ms() {
      if (!this.src) this.begin();
    },
  },
  beforeUnmount() {
    clearInterval(this.timer);
    clearTimeout(this.wait);
    this.front = this.back = "";
  },
  methods: {
    begin() {
      clearInterval(this.timer);
      if (this.src) {
        this.fetch(this.src);
      } else if (this.still) {
        const next = () => document.hidden || this.back || this.fetch(this.still + "&at=" + ++this.beat);
        next();
        this.timer = setInterval(next, this.every_ms);
      }
    },
    fetch(url) {
      if (!this.front) this.front = url;
      else this.back = url;
    },
    arrived() {
      if (this.back) this.front = this.back;
      this.back = "";
    },
    failed() {
      this.$emit("failed");
      clearTimeout(this.wait);
      this.wait = setTimeout(() => {
        this.front = this.back = "";
        this.$nextTick(this.begin);
      }, RETRY_MS);
    },
  },
  template: `
    <img v-if="front" class="ze-picture" :src="front" :alt="label" draggable="false" @error="failed">
    <img v-if="back" class="ze-picture is-behind" :src="back" alt="" @load="arrived" @error="back = ''">`,
};

const Tile = {
  components: { ZeSign: Sign, ZePicture: Picture },
  props: { t: Object, room: Object, small: Boolean, streamed: Boolean, seen: Boolean, every_ms: Number, may_listen: Boolean },
  emits: ["open", "failed", "listen"],
  methods: { seal_sign, record_sign },
  computed: {
    camera() {
      return this.room.cameras[0];
    },
    camera_sign() {
      return { live: "camera", frozen: "frozen", offline: "camera_off" }[this.camera?.state] || "clock";
    },
    dark_sign() {
      return this.room.picture === "denied" ? "eye_off" : this.camera_sign;
    },
    count_sign() {
      return { ok: "check", over: "alarm", under: "minus", unseen: "eye_off" }[this.room.count_state] || "group";
    },
    seal_label() {
      return this.room.pending ? this.t["room.seal_pending"] : this.room.seal_label;
    },
  },
  template: `
    <article class="ze-tile" :class="[room.alarm ? 'has-' + room.alarm : '', { 'is-new': room.alarm_new, 'is-small': small }]" :data-testid="'room-' + room.id"
             :data-room="room.id" :data-alarm="room.alarm || 'none'" :data-seal="room.seal">
      <button class="ze-tile-view" :aria-label="room.spoken" @click="$emit('open', room.id)">
        <ze-picture v-if="seen && room.picture === 'live' && camera && (camera.src || camera.still)" :src="streamed ? camera.src : ''" :still="camera.still" :every_ms="every_ms" label="" @failed="$emit('failed', room.id)"/>
        <span v-else-if="room.picture !== 'live'" class="ze-tile-dark"><ze-sign :name="dark_sign"/>{{ room.dark_label }}</span>
        <span class="ze-tile-top"><span v-if="room.alarm" class="ze-tile-alarm" :class="'is-' + room.alarm" :data-testid="'room-alarm-' + room.id"><ze-sign :name="room.alarm"/><em>{{ room.alarm_label }}</em></span>
          <span v-if="room.recording" class="ze-rec ze-tile-rec" :class="'is-' + room.recording.state" :data-testid="'rec-' + room.id" :data-state="room.recording.state"><ze-sign :name="record_sign(room.recording.state)"/><em>{{ room.recording.label }}</em><i v-if="room.recording.share">{{ room.recording.share }}</i></span></span>
        <span v-if="room.node" class="ze-tile-node"><ze-sign name="link_off"/>{{ room.node }}</span>
        <span class="ze-stale-mark">{{ t['state.stale'] }}</span>
      </button>
      <div class="ze-tile-foot">
        <div class="ze-tile-name"><h3 :title="room.name"><bdi>{{ room.name }}</bdi></h3>
          <p v-if="!small" class="ze-tile-session" :title="room.session">{{ room.session || room.kind_label }}</p>
          <p v-else class="ze-tile-session" :class="'is-seal-' + room.seal"><ze-sign :name="seal_sign(room.seal)"/>{{ seal_label }}</p></div>
        <div class="ze-count" :class="'is-' + room.count_state" :data-testid="'count-' + room.id" :title="room.count_label">
          <b><span data-testid="count-value">{{ room.count }}</span><template v-if="room.admitted"><i>/</i>{{ room.admitted }}</template></b>
          <small><ze-sign :name="count_sign"/><em>{{ room.count_label }}</em></small></div>
      </div>
      <ul v-if="!small" class="ze-tile-states">
        <li :class="'is-seal-' + room.seal"><ze-sign :name="seal_sign(room.seal)"/>{{ seal_label }}<span v-if="room.seal === 'sealed' && room.sealed_at">{{ room.sealed_at }}</span></li>
        <li v-if="camera" :class="'is-camera-' + camera.state"><ze-sign :name="camera_sign"/>{{ camera.state_label }}</li>
        <li v-if="camera" :class="'is-sound-' + camera.sound"><ze-sign :name="camera.sound === 'live' ? 'sound' : 'sound_off'"/>
          <template v-if="camera.level !== null"><span class="ze-meter" role="img" :aria-label="camera.sound_label"><i v-for="n in 5" :key="n" :class="{ lit: n <= camera.level }"></i></span></template>
          <template v-else>{{ camera.sound_label }}</template></li>
        <li v-if="room.clock" :class="{ 'is-doubtful': !room.clock.good }" :data-testid="'clock-' + room.id" :data-state="room.clock.state"><ze-sign name="clock"/>{{ t[room.clock.good ? 'room.clock_good' : 'room.clock_bad'] }}</li>
        <li v-if="room.ear" class="ze-tile-ear" :class="'is-' + room.ear.state"><button v-if="may_listen && room.ear.state !== 'other'" class="ze-ear" :aria-pressed="room.ear.state === 'mine' ? 'true' : 'false'" :data-testid="'listen-' + room.id" @click="$emit('listen', room.id)"><ze-sign name="ear"/>{{ t[room.ear.state === 'mine' ? 'listen.stop' : 'listen.start'] }}</button>
          <span v-if="room.ear.who" :data-testid="'ear-' + room.id"><ze-sign name="ear"/>{{ room.ear.who }}</span></li>
      </ul>
    </article>`,
};

const kept = () => {
  try {
    return JSON.parse(localStorage.getItem("ze_wall")) || {};
  } catch {
    return {};
  }
};

const RANK = { alarm: 2, warning: 1 };
const rank = (room) => (RANK[room.alarm] || 0) * 2 + (room.alarm_new ? 1 : 0);

export default {
  components: { ZeTile: Tile, ZeModal: Modal, ZeSign: Sign, ZePicture: Picture, ZeTracks: Tracks },
  props: { t: Object, rooms: Array, loading: Boolean, tablets: Boolean, live: Boolean, recordings: Boolean, zones: Boolean, may_listen: Boolean },
  emits: ["failed", "visible", "opened", "listen", "alert"],
  data: () => ({ rows: [], opened: null, layout: "auto", first: true, rotate: false, page: 0, seen: [], help: false, timer: 0, narrow: false }),
  created() {
    const was = kept();
    if (LAYOUTS.includes(was.layout)) this.layout = was.layout;
    this.first = was.first !== false;
    this.rotate = was.rotate === true;
    this.rows = this.rooms;
    this.look = new Set();
  },
  mounted() {
    this.width = matchMedia("(max-width: 720px)");
    this.narrow = this.width.matches;
    this.width.onchange = () => (this.narrow = this.width.matches);
    this.watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.isIntersecting ? this.look.add(entry.target.dataset.room) : this.look.delete(entry.target.dataset.room);
      clearTimeout(this.telling);
      this.telling = setTimeout(this.tell, SEEN_SOON_MS);
    }, { rootMargin: "120px" });
    document.addEventListener("keydown", this.key);
    document.addEventListener("keyup", this.release);
    this.turn();
    this.watch_tiles();
  },
  beforeUnmount() {
    this.watcher.disconnect();
    clearInterval(this.timer);
    clearTimeout(this.telling);
    document.removeEventListener("keydown", this.key);
    document.removeEventListener("keyup", this.release);
    this.width.onchange = null;
  },
  watch: {
    rooms() {
      this.rows = this.rooms;
    },
    places() {
      this.watch_tiles();
    },
    pages() {
      this.page = Math.min(this.page, this.pages - 1);
      this.turn();
    },
  },
  computed: {
    big() {
      return this.rows.find((room) => room.id === this.opened) || null;
    },
    size() {
      if (this.narrow) return 8;
      return this.layout === "auto" ? 16 : Number(this.layout);
    },
    pages() {
      return Math.max(1, Math.ceil(this.rows.length / this.size));
    },
    // Tiles keep their places while all are to be seen; only what would be hidden is brought forward.
    ordered() {
      if (!this.first || this.pages === 1) return this.rows;
      return [...this.rows].sort((a, b) => rank(b) - rank(a));
    },
    shown() {
      return this.ordered.slice(this.page * this.size, (this.page + 1) * this.size);
    },
    places() {
      return this.shown.map((room) => room.id).join();
    },
    columns() {
      if (this.narrow) return 1;
      if (this.layout !== "auto") return Math.ceil(Math.sqrt(this.size));
      const many = this.shown.length;
      return many <= 4 ? 0 : many <= 6 ? 3 : 4;
    },
    small() {
      return !this.narrow && this.columns >= 4;
    },
    tiny() {
      return !this.narrow && this.columns >= 6;
    },
    every_ms() {
      return still_ms(this.shown.length);
    },
    streams() {
      const counts = {};
      const chosen = new Set();
      for (const room of this.small ? [] : this.shown) {
        const src = room.cameras[0]?.src;
        if (!src || !this.seen.includes(room.id)) continue;
        const host = new URL(src, location.href).host;
        counts[host] = (counts[host] || 0) + 1;
        if (counts[host] <= STREAMS_MAX) chosen.add(room.id);
      }
      return chosen;
    },
    elsewhere() {
      const here = new Set(this.shown.map((room) => room.id));
      return this.rows.filter((room) => room.alarm_new && !here.has(room.id)).length;
    },
    bar() {
      return this.rows.length > 4 || this.layout !== "auto";
    },
  },
  methods: {
    seal_sign,
    // Only what changed is sent: with 64 rooms the whole wall is a hundred kilobytes.
    patch(changed) {
      const fresh = Object.fromEntries(changed.map((room) => [room.id, room]));
      this.rows = this.rows.map((room) => fresh[room.id] || room);
    },
    async watch_tiles() {
      await this.$nextTick();
      if (!this.watcher) return;
      this.watcher.disconnect();
      this.look.clear();
      for (const tile of this.$el.querySelectorAll?.("[data-room]") || []) this.watcher.observe(tile);
    },
    tell() {
      const ids = [...this.look].sort();
      if (ids.join() === this.seen.join()) return;
      this.seen = ids;
      this.$emit("visible", ids);
    },
    keep() {
      localStorage.setItem("ze_wall", JSON.stringify({ layout: this.layout, first: this.first, rotate: this.rotate }));
      this.page = Math.min(this.page, this.pages - 1);
      this.turn();
    },
    turn() {
      clearInterval(this.timer);
      if (this.rotate && this.pages > 1) this.timer = setInterval(() => !this.opened && !document.hidden && this.leaf(1), ROTATE_MS);
    },
    leaf(by) {
      this.page = (this.page + by + this.pages) % this.pages;
    },
    open(id) {
      this.opened = id;
      this.$emit("opened", id);
    },
    close() {
      this.opened = null;
      this.$emit("opened", "");
    },
    // Up, down, left and right by where tiles lie; from the last column on to the alerts.
    move(key) {
      const views = [...this.$el.querySelectorAll(".ze-tile-view")];
      const at = document.activeElement?.closest(".ze-tile")?.querySelector(".ze-tile-view");
      if (!views.length) return;
      if (!at) {
        views[0].focus();
        return;
      }
      const middle = (one) => {
        const box = one.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
      };
      const [x, y] = middle(at);
      const along = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
      const found = views
        .map((one) => [one, middle(one)])
        .map(([one, [u, v]]) => [one, (u - x) * along[0] + (v - y) * along[1], Math.abs((u - x) * along[1]) + Math.abs((v - y) * along[0])])
        .filter(([, ahead, aside]) => ahead > 4 && aside < ahead * (along[0] ? 0.5 : 4))
        .sort((a, b) => a[1] + 2 * a[2] - b[1] - 2 * b[2])[0];
      if (found) {
        found[0].focus();
        found[0].scrollIntoView({ block: "nearest" });
      } else if (key === "ArrowRight") {
        document.querySelector(".ze-alert")?.focus();
      }
    },
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event) || this.opened || this.help) return;
      const here = document.activeElement;
      if (here?.closest(".ze-rail, .ze-header, .ze-floor, .ze-sessions")) {
        if (here.closest(".ze-rail") && event.key === "ArrowLeft") {
          event.preventDefault();
          here.blur();
          this.move("ArrowRight");
        }
        if (event.key !== "?") return;
      }
      if (event.key === "?") this.help = true;
      else if (event.key.startsWith("Arrow")) {
        event.preventDefault();
        this.move(event.key);
      } else if (event.key === "PageDown" || event.key === "PageUp") {
        if (this.pages > 1) {
          event.preventDefault();
          this.leaf(event.key === "PageDown" ? 1 : -1);
        }
      } else if (event.key === "l" && this.may_listen && here?.closest(".ze-tile")) {
        this.$emit("listen", here.closest(".ze-tile").dataset.room);
      } else if (event.key === "a") {
        document.querySelector(".ze-alert")?.focus();
      } else return;
    },
    // Space acknowledges (the list of alerts does that); it must not open the room as well.
    release(event) {
      if (event.key === " " && event.target instanceof HTMLElement && event.target.closest(".ze-tile-view")) event.preventDefault();
    },
  },
  template: `
    <section class="ze-rooms-part" :aria-label="t['room.heading']" data-testid="rooms">
      <div v-if="bar" class="ze-wall-bar" data-testid="wall-bar">
        <label>{{ t['wall.layout'] }} <select v-model="layout" @change="keep" data-testid="wall-layout"><option v-for="one in ['auto', '1', '4', '9', '16', '25', '64']" :key="one" :value="one">{{ one === 'auto' ? t['wall.auto'] : one }}</option></select></label>
        <button class="ze-button is-small" :aria-pressed="first ? 'true' : 'false'" :class="{ 'is-on': first }" data-testid="wall-first" @click="first = !first; keep()"><ze-sign :name="first ? 'check' : 'minus'"/>{{ t['wall.first'] }}</button>
        <template v-if="pages > 1">
          <button class="ze-button is-small" :aria-pressed="rotate ? 'true' : 'false'" :class="{ 'is-on': rotate }" data-testid="wall-rotate" @click="rotate = !rotate; keep()"><ze-sign :name="rotate ? 'check' : 'minus'"/>{{ t['wall.rotate'] }}</button>
          <span v-if="elsewhere" class="ze-chip is-alarm" role="status" data-testid="wall-elsewhere"><ze-sign name="alarm"/>{{ elsewhere }} {{ t['wall.elsewhere'] }}</span>
          <span class="ze-wall-pages"><button class="ze-button is-quiet is-square" :aria-label="t['wall.before']" data-testid="wall-before" @click="leaf(-1)"><ze-sign name="left"/></button>
            <span class="ze-number" data-testid="wall-page" role="status">{{ page + 1 }} / {{ pages }}</span>
            <button class="ze-button is-quiet is-square" :aria-label="t['wall.next']" data-testid="wall-next" @click="leaf(1)"><ze-sign name="right"/></button></span></template>
        <button class="ze-button is-quiet is-square ze-wall-help" :aria-label="t['wall.keys']" :title="t['wall.keys']" data-testid="wall-help" @click="help = true"><ze-sign name="help"/></button>
      </div>
      <div class="ze-rooms" :class="['is-columns-' + columns, { 'is-tiny': tiny }]" :style="columns ? { gridTemplateColumns: 'repeat(' + columns + ', minmax(0, 1fr))' } : null">
      <template v-if="loading"><div class="ze-tile is-bones" v-for="n in 3" :key="n" aria-hidden="true"><div class="ze-tile-view"></div><div class="ze-bone"></div><div class="ze-bone is-short"></div></div></template>
      <p v-else-if="!rows.length" class="ze-empty" data-testid="rooms-empty"><ze-sign name="grid"/>{{ t['state.empty_rooms'] }}</p>
      <ze-tile v-for="room in shown" :key="room.id" :t="t" :room="room" :small="small" :streamed="streams.has(room.id)" :seen="seen.includes(room.id)" :every_ms="every_ms" :may_listen="may_listen"
               @open="open" @failed="$emit('failed', $event)" @listen="$emit('listen', $event)"/>
      </div>
      <ze-modal :open="help" :label="t['wall.keys']" testid="keys-dialog" @close="help = false">
        <header class="ze-modal-head"><h2>{{ t['wall.keys'] }}</h2><button class="ze-button is-quiet is-square" :aria-label="t['room.close']" @click="help = false"><ze-sign name="cross"/></button></header>
        <dl class="ze-keys"><div v-for="one in ['space', 'arrows', 'enter', 'escape', 'a', 'pages', 'l', 'help']" :key="one"><dt><kbd>{{ t['keys.' + one] }}</kbd></dt><dd>{{ t['keys.' + one + '_does'] }}</dd></div></dl>
      </ze-modal>
      <ze-modal :open="!!big" wide keep :label="big ? big.name : ''" testid="room-dialog" @close="close">
        <template v-if="big">
          <header class="ze-modal-head"><h2>{{ big.name }}</h2>
            <span class="ze-chip" :class="'is-seal-' + big.seal"><ze-sign :name="seal_sign(big.seal)"/>{{ big.seal_label }}</span>
            <button class="ze-button is-quiet is-square" :aria-label="t['room.close']" data-testid="room-close" @click="close"><ze-sign name="cross"/></button></header>
          <div class="ze-room-grid">
            <figure v-for="camera in big.cameras" :key="camera.id" class="ze-room-picture">
              <ze-picture v-if="big.picture === 'live' && (camera.src || camera.still)" :src="camera.src" :still="camera.still" :label="camera.name"/>
              <span v-else class="ze-tile-dark"><ze-sign name="camera_off"/>{{ big.dark_label }}</span>
              <figcaption>{{ camera.name }} · {{ camera.state_label }} · {{ camera.sound_label }}</figcaption></figure>
          </div>
          <ul v-if="live || recordings" class="ze-room-links"><li v-for="camera in big.cameras" :key="camera.id"><b>{{ camera.name }}</b>
            <a v-if="live && big.picture !== 'denied'" class="ze-button is-small" :href="'/watch/' + camera.id + '/live'" target="_blank" rel="noopener noreferrer" :data-testid="'live-' + camera.id"><ze-sign name="camera"/>{{ t['clip.live'] }}<span class="ze-hidden">{{ camera.name }} ({{ t['clip.new_tab'] }})</span></a>
            <a v-if="recordings" class="ze-button is-small" :href="'/watch/' + camera.id + '/recordings'" target="_blank" rel="noopener noreferrer" :data-testid="'recordings-' + camera.id"><ze-sign name="clock"/>{{ t['clip.recordings'] }}<span class="ze-hidden">{{ camera.name }} ({{ t['clip.new_tab'] }})</span></a>
            <a v-if="zones && big.picture !== 'denied'" class="ze-button is-small" :href="'/watch/' + camera.id + '/zones'" target="_blank" rel="noopener noreferrer" :data-testid="'zones-' + camera.id"><ze-sign name="grid"/>{{ t['clip.zones'] }}<span class="ze-hidden">{{ camera.name }} ({{ t['clip.new_tab'] }})</span></a></li></ul>
          <p class="ze-room-facts"><b>{{ big.session }}</b>
            <span>{{ big.count }}<template v-if="big.admitted"> / {{ big.admitted }}</template> {{ t['room.people'] }} · {{ big.count_label }}</span>
            <span>{{ t['room.observed'] }} {{ big.observed }}</span>
            <span v-if="big.clock" data-testid="room-clock" :data-state="big.clock.state">{{ t['track.clock'] }} <b :class="{ 'is-doubtful': !big.clock.good }">{{ big.clock.label }}</b> {{ big.clock.offset }}</span>
            <span v-if="big.key" data-testid="room-key">{{ t['track.key'] }} <b :class="{ 'is-doubtful': !big.key.good }">{{ big.key.label }}</b></span>
            <a v-if="tablets && big.kind === 'evaluation'" class="ze-button is-small" :href="'/tablet/' + big.id" target="_blank"><ze-sign name="tablet"/>{{ t['room.tablet'] }}</a></p>
          <ze-tracks v-if="big.tracks.length" :t="t" :tracks="big.tracks"/>
        </template>
        <slot/>
      </ze-modal>
    </section>`,
};
