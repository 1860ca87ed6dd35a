// A room in time: a ruler one drags, what each track recorded, and all cameras at the same instant.
//
// One master clock runs while playing. Each video is compared with it four times a second: one that
// is off by more than DRIFT_MS is played faster or slower until it is back, or set if it is far off.
// While one dragged, each camera shows the key frame before the moment; then its clip is fetched.
import { Sign } from "zeroentry-console";

const MINUTE = 60000;
const DAY = 86400000;
const CLIP_MS = 120000; // one clip: long enough to look, short enough to be cut at once
const BEFORE_MS = 2000;
const DRIFT_MS = 200;
const FAR_MS = 1500;
const TICK_MS = 250;
const STILL_EVERY_MS = 250;
const SETTLE_MS = 350;
const HOLD_MAX_MS = 4000; // one camera that does not come on does not hold up the others for ever
const LIVE_EDGE_MS = 4000; // what is not on the node's disk yet
const SPANS = [DAY, DAY / 4, 3600000, 600000, MINUTE * 3, MINUTE];
const STEPS = [1000, 5000, 10000, 30000, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, 3600000, 3 * 3600000, 6 * 3600000];

export default {
  components: { ZeSign: Sign },
  props: { t: Object, lang: String, zone: String, rooms: Array, room: String, at: Number, jump: Number, now: Number, data: Object, players: Object, loading: Boolean, failed: String, players_failed: String },
  emits: ["window", "go", "tickets"],
  data: () => ({ cursor: 0, span: DAY / 4, centre: 0, playing: false, dragging: false, rate: 1, heard: "", chosen: "", local: "", views: {}, drifts: {} }),
  computed: {
    left() {
      return this.centre - this.span / 2;
    },
    cursorShown() {
      return this.cursor >= this.left && this.cursor <= this.left + this.span;
    },
    step() {
      return STEPS.find((step) => this.span / step <= 8) || STEPS[STEPS.length - 1];
    },
    ticks() {
      const shift = this.offset(this.centre);
      const rows = [];
      for (let at = Math.ceil((this.left + shift) / this.step) * this.step - shift; at <= this.left + this.span; at += this.step) rows.push({ at, left: this.place(at), label: this.clock(at, this.step < MINUTE) });
      return rows.slice(0, 40);
    },
    tracks() {
      return (this.data?.tracks || []).map((track) => ({
        ...track,
        spans: track.recorded.filter(([from, to]) => to > this.left && from < this.left + this.span).map(([from, to]) => this.bar(from, to)),
        holes: track.gaps.filter((row) => row.to >= this.left && row.from < this.left + this.span).map((row) => ({ ...row, style: this.bar(row.from, row.to) })),
      }));
    },
    seals() {
      return (this.data?.seals || []).filter((row) => row.to > this.left && row.from < this.left + this.span).map((row) => ({ ...row, style: this.bar(row.from, row.to) }));
    },
    marks() {
      const rows = (this.data?.marks || []).filter((row) => row.utc_ms >= this.left && row.utc_ms <= this.left + this.span);
      const groups = [];
      for (const row of rows) {
        const left = this.place(row.utc_ms);
        const last = groups[groups.length - 1];
        if (last && left - last.left < 1.2) last.rows.push(row);
        else groups.push({ left, rows: [row], key: row.key });
      }
      return groups;
    },
    events() {
      if (!this.data) return [];
      const gaps = this.data.tracks.flatMap((track) => track.gaps.map((gap) => ({ key: `${track.id}/${gap.from}`, at: gap.from, when: gap.at, what: `${this.t["timeline.gap"]}: ${gap.reason}${gap.lasting ? ` (${this.t["timeline.lasting"]})` : ""}`, where: track.name })));
      const seals = this.data.seals.map((row) => ({ key: `seal/${row.from}`, at: row.from, when: row.at, what: `${this.t["timeline.sealed"]}: ${row.title}`, where: "" }));
      const marks = this.data.marks.map((row) => ({ key: row.key, at: row.utc_ms, when: row.at, what: `${row.kind_label}: ${row.title}${row.text ? ` — ${row.text}` : ""}`, where: row.track || row.room_name }));
      return [...gaps, ...seals, ...marks].sort((a, b) => a.at - b.at).slice(0, 500);
    },
    spoken() {
      return this.clock(this.cursor, true, true);
    },
  },
  watch: {
    // The site, and with it its zone, may be known only after the page stands.
    zone() {
      this.local = this.localText(this.cursor);
    },
    jump() {
      this.take();
    },
    room(room) {
      this.chosen = room;
      this.stop();
    },
    players(next, before) {
      if (!before || before.room !== next?.room) this.$nextTick(() => this.load());
    },
  },
  mounted() {
    this.chosen = this.room;
    this.take();
    this.timer = setInterval(() => this.tick(), TICK_MS);
  },
  beforeUnmount() {
    clearInterval(this.timer);
    clearTimeout(this.settling);
  },
  methods: {
    edge() {
      return Math.floor(Math.max(this.now, Date.now()) - LIVE_EDGE_MS);
    },
    take() {
      this.cursor = Math.min(this.at, this.edge());
      this.centre = this.cursor;
      this.local = this.localText(this.cursor);
      this.stop();
      this.load();
    },
    place(at) {
      return ((at - this.left) / this.span) * 100;
    },
    bar(from, to) {
      const left = Math.max(0, this.place(from));
      return { left: `${left}%`, width: `${Math.max(0.15, Math.min(100, this.place(to)) - left)}%` };
    },
    parts(at) {
      const format = new Intl.DateTimeFormat("en-CA", { timeZone: this.zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
      return Object.fromEntries(format.formatToParts(new Date(at)).map((part) => [part.type, part.value]));
    },
    clock(at, seconds, day) {
      const p = this.parts(at);
      return `${day ? `${p.year}-${p.month}-${p.day} ` : ""}${p.hour}:${p.minute}${seconds ? `:${p.second}` : ""}`;
    },
    localText(at) {
      const p = this.parts(at);
      return `${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}`;
    },
    offset(at) {
      const p = this.parts(at);
      return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - Math.floor(at / 1000) * 1000;
    },
    // --- moving
    move(at, { still = true } = {}) {
      this.cursor = Math.round(Math.min(Math.max(at, 0), this.edge()));
      this.local = this.localText(this.cursor);
      if (this.cursor < this.left || this.cursor > this.left + this.span) this.centre = this.cursor;
      if (this.data && (this.left < this.data.from || this.left + this.span > this.data.to) && this.span < this.data.to - this.data.from) this.ask();
      if (still) this.follow();
    },
    ask() {
      clearTimeout(this.asking);
      this.asking = setTimeout(() => this.$emit("window", this.cursor), SETTLE_MS);
    },
    follow() {
      this.stop();
      const now = performance.now();
      if (now - (this.stilled || 0) > STILL_EVERY_MS) {
        this.stilled = now;
        this.stills();
      }
      clearTimeout(this.settling);
      this.settling = setTimeout(() => {
        this.stills();
        this.load();
      }, SETTLE_MS);
    },
    pointed(event) {
      const box = this.$refs.ruler.getBoundingClientRect();
      return this.left + ((event.clientX - box.left) / box.width) * this.span;
    },
    down(event) {
      if (event.button > 0 || event.target.closest("button")) return;
      this.dragging = true;
      this.$refs.ruler.setPointerCapture(event.pointerId);
      this.move(this.pointed(event));
    },
    drag(event) {
      if (this.dragging) this.move(this.pointed(event));
    },
    up() {
      this.dragging = false;
    },
    wheel(event) {
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.pointed(event));
    },
    zoom(factor, around = this.cursor) {
      const before = this.span;
      this.span = Math.min(Math.max(this.span * factor, MINUTE), DAY);
      this.centre = around + (this.centre - around) * (this.span / before);
    },
    closer() {
      this.centre = this.cursor;
      this.span = SPANS.find((span) => span < this.span - 1) || MINUTE;
    },
    wider() {
      this.centre = this.cursor;
      this.span = [...SPANS].reverse().find((span) => span > this.span + 1) || DAY;
    },
    shift(share) {
      this.move(this.cursor + this.span * share);
      this.centre = this.cursor;
    },
    event(way) {
      const rows = way > 0 ? this.events.filter((row) => row.at > this.cursor + 500) : this.events.filter((row) => row.at < this.cursor - 500).reverse();
      if (rows.length) this.move(rows[0].at);
    },
    key(event) {
      const fine = Math.max(1000, this.span / 200);
      const acts = {
        ArrowLeft: () => this.move(this.cursor - fine),
        ArrowRight: () => this.move(this.cursor + fine),
        PageDown: () => this.shift(-0.25),
        PageUp: () => this.shift(0.25),
        Home: () => this.data && this.move(this.data.from),
        End: () => this.data && this.move(this.data.to),
        " ": () => this.toggle(),
        "+": () => this.closer(),
        "=": () => this.closer(),
        "-": () => this.wider(),
        "[": () => this.event(-1),
        "]": () => this.event(1),
      };
      if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
      event.preventDefault();
      acts[event.key]();
    },
    go() {
      if (this.chosen && this.local) this.$emit("go", { room: this.chosen, local: this.local });
    },
    // --- players
    view(id) {
      if (!this.views[id]) this.views[id] = { state: "idle", still: "", why: "", start: 0, from: 0, to: 0 };
      return this.views[id];
    },
    video(id) {
      const found = this.$refs[`video-${id}`];
      return Array.isArray(found) ? found[0] : found;
    },
    address(player, what, values) {
      return `${player.base}/${what}?${new URLSearchParams({ ...values, ticket: player.ticket })}`;
    },
    stills() {
      for (const player of this.players?.list || []) {
        const view = this.view(player.id);
        view.still = this.address(player, "still.jpg", { at: Math.floor(this.cursor / 1000) * 1000 });
        if (view.state !== "gap") view.state = "still";
      }
    },
    fresh() {
      if (!this.players || this.players.expires - Date.now() > MINUTE) return true;
      this.$emit("tickets");
      return false;
    },
    load() {
      if (!this.players?.list.length || !this.cursor) return;
      this.fresh();
      this.loads = (this.loads || 0) + 1;
      for (const player of this.players.list) this.fetch(player, this.loads);
    },
    async fetch(player, number) {
      const view = this.view(player.id);
      const from = Math.max(0, Math.floor(this.cursor - BEFORE_MS));
      const to = Math.min(from + CLIP_MS, this.edge());
      if (to - from < 1000) return;
      view.state = view.still ? "still" : "waiting";
      view.why = "";
      let start = from;
      try {
        const answer = await fetch(this.address(player, "clip.json", { from, to }));
        if (number !== this.loads) return;
        if (answer.status === 404) {
          view.state = "gap";
          view.why = this.gapAt(player.id, this.cursor);
          return;
        }
        if (!answer.ok) throw new Error(String(answer.status));
        start = (await answer.json()).start_utc_ms;
      } catch {
        if (number !== this.loads) return;
        view.state = "refused";
        return;
      }
      if (number !== this.loads) return;
      Object.assign(view, { start, from, to, state: "loading" });
      const video = this.video(player.id);
      if (!video) return;
      video.src = this.address(player, "clip.mp4", { from, to });
      video.muted = this.heard !== player.id;
      video.playbackRate = this.rate;
      video.load();
    },
    ready(player) {
      const view = this.view(player.id);
      const video = this.video(player.id);
      video.currentTime = Math.max(0, (this.cursor - view.start) / 1000);
      view.state = "ready";
      if (this.playing) video.play().catch(() => {});
    },
    broken(player) {
      const view = this.view(player.id);
      if (this.video(player.id)?.getAttribute("src")) view.state = "refused";
    },
    gapAt(id, at) {
      const track = (this.data?.tracks || []).find((row) => row.id === id);
      return track?.gaps.find((gap) => gap.from <= at && (gap.to >= at || gap.lasting))?.reason || "";
    },
    toggle() {
      if (this.playing) return this.stop();
      this.playing = true;
      this.held = 0;
      this.last = performance.now();
      for (const player of this.players?.list || []) if (this.view(player.id).state === "ready") this.video(player.id).play().catch(() => {});
    },
    stop() {
      this.playing = false;
      for (const player of this.players?.list || []) this.video(player.id)?.pause?.();
    },
    faster(event) {
      this.rate = Number(event.target.value);
    },
    hear(id) {
      this.heard = this.heard === id ? "" : id;
      for (const player of this.players?.list || []) {
        const video = this.video(player.id);
        if (video) video.muted = this.heard !== player.id;
      }
    },
    tick() {
      const now = performance.now();
      const passed = now - (this.last || now);
      this.last = now;
      if (!this.playing) return;
      const list = this.players?.list || [];
      const late = list.some((player) => this.view(player.id).state === "loading" || (this.view(player.id).state === "ready" && this.video(player.id).readyState < 2));
      this.held = late ? this.held + passed : 0;
      if (late && this.held < HOLD_MAX_MS) return;
      this.cursor = Math.round(this.cursor + passed * this.rate);
      this.local = this.localText(this.cursor);
      if (this.cursor > this.left + this.span * 0.92) this.centre = this.cursor + this.span * 0.3;
      let end = Infinity;
      for (const player of list) {
        this.correct(player);
        const view = this.view(player.id);
        if (view.to) end = Math.min(end, view.to);
      }
      if (this.cursor >= this.edge() - 500) this.stop();
      else if (this.cursor > end) this.load();
    },
    correct(player) {
      const view = this.view(player.id);
      const video = this.video(player.id);
      if (view.state !== "ready" || !video || video.seeking) return;
      const off = view.start + video.currentTime * 1000 - this.cursor;
      this.drifts[player.id] = Math.round(off);
      if (Math.abs(off) > FAR_MS && !video.ended) video.currentTime = Math.max(0, (this.cursor - view.start) / 1000);
      else if (Math.abs(off) > DRIFT_MS) video.playbackRate = this.rate * (off > 0 ? 0.85 : 1.15);
      else if (Math.abs(off) < DRIFT_MS / 3) video.playbackRate = this.rate;
      if (video.paused && !video.ended) video.play().catch(() => {});
    },
  },
  template: `
    <section class="ze-panel ze-tl" :aria-label="t['timeline.heading']" data-testid="timeline" :data-at="cursor" :data-playing="playing" @keydown="(e) => ['INPUT','SELECT','BUTTON'].includes(e.target.tagName) || key(e)">
      <header class="ze-panel-head ze-tl-head"><h2>{{ t['timeline.heading'] }}</h2>
        <form class="ze-tl-go" @submit.prevent="go"><label><span class="ze-hidden">{{ t['evidence.room'] }}</span><select v-model="chosen" data-testid="timeline-room" @change="go"><option value="" disabled>{{ t['evidence.room'] }}</option><option v-for="row in rooms" :key="row.id" :value="row.id">{{ row.name }}</option></select></label>
          <label><span class="ze-hidden">{{ t['timeline.moment'] }}</span><input v-model="local" type="datetime-local" step="1" data-testid="timeline-moment"></label>
          <button class="ze-button is-small" type="submit">{{ t['timeline.go'] }}</button></form></header>
      <div v-if="!room" class="ze-empty" data-testid="timeline-pick"><ze-sign name="clock"/><b>{{ t['timeline.pick'] }}</b><span>{{ t['timeline.pick_text'] }}</span></div>
      <p v-else-if="failed" class="ze-banner is-problem" role="alert"><ze-sign name="warning"/>{{ failed }} <button class="ze-button is-small" @click="$emit('window', cursor)">{{ t['evidence.again'] }}</button></p>
      <p v-else-if="!data" class="ze-empty" role="status"><span class="ze-spin" aria-hidden="true"></span>{{ t['timeline.waiting'] }}</p>
      <template v-else>
        <div v-if="players && (players.list.length || players.missing.length)" class="ze-tl-players" data-testid="players">
          <figure v-for="player in players.list" :key="player.id" class="ze-tl-player" :data-testid="'player-' + player.id" :data-state="view(player.id).state" :data-drift="drifts[player.id] || 0">
            <video :ref="'video-' + player.id" playsinline muted preload="auto" :aria-label="player.name" v-show="view(player.id).state === 'ready'" @loadeddata="ready(player)" @error="broken(player)"></video>
            <img v-if="view(player.id).still && view(player.id).state !== 'ready' && view(player.id).state !== 'gap'" :src="view(player.id).still" :alt="player.name">
            <span v-if="view(player.id).state === 'gap'" class="ze-tl-say"><ze-sign name="record_off"/>{{ t['timeline.nothing'] }}<small v-if="view(player.id).why">{{ view(player.id).why }}</small></span>
            <span v-else-if="view(player.id).state === 'refused'" class="ze-tl-say"><ze-sign name="warning"/>{{ t['timeline.refused'] }}</span>
            <span v-else-if="view(player.id).state === 'loading' || view(player.id).state === 'waiting'" class="ze-tl-wait"><span class="ze-spin" aria-hidden="true"></span>{{ t['timeline.waiting'] }}</span>
            <figcaption>{{ player.name }}<button v-if="player.sound" class="ze-button is-small is-quiet" :aria-pressed="heard === player.id" @click="hear(player.id)"><ze-sign :name="heard === player.id ? 'sound' : 'sound_off'"/>{{ heard === player.id ? t['timeline.mute'] : t['timeline.hear'] }}</button></figcaption>
          </figure>
          <figure v-for="id in players.missing" :key="id" class="ze-tl-player"><span class="ze-tl-say"><ze-sign name="link_off"/>{{ t['timeline.away'] }}</span><figcaption>{{ id }}</figcaption></figure>
        </div>
        <p v-else-if="players_failed" class="ze-tl-note" role="status" data-testid="players-failed"><ze-sign name="warning"/>{{ t['timeline.no_players'] }}: {{ players_failed }}</p>
        <div class="ze-tl-bar">
          <button class="ze-button is-main" data-testid="timeline-play" :aria-pressed="playing" :disabled="!players || !players.list.length" @click="toggle"><ze-sign :name="playing ? 'pause' : 'play'"/>{{ playing ? t['timeline.pause'] : t['timeline.play'] }}</button>
          <output class="ze-tl-now" data-testid="timeline-now">{{ spoken }}</output>
          <label class="ze-tl-rate">{{ t['timeline.speed'] }}<select :value="rate" @change="faster"><option :value="0.5">0.5×</option><option :value="1">1×</option><option :value="2">2×</option><option :value="4">4×</option></select></label>
          <span class="ze-tl-buttons"><button class="ze-button is-small" :aria-label="t['timeline.previous']" :title="t['timeline.previous']" @click="event(-1)">[</button><button class="ze-button is-small" :aria-label="t['timeline.next']" :title="t['timeline.next']" @click="event(1)">]</button>
            <button class="ze-button is-small" :aria-label="t['timeline.earlier']" :title="t['timeline.earlier']" @click="shift(-0.5)">◀</button><button class="ze-button is-small" :aria-label="t['timeline.later']" :title="t['timeline.later']" @click="shift(0.5)">▶</button>
            <button class="ze-button is-small" :aria-label="t['timeline.zoom_out']" :title="t['timeline.zoom_out']" data-testid="zoom-out" @click="wider"><ze-sign name="minus"/></button><button class="ze-button is-small" :aria-label="t['timeline.zoom_in']" :title="t['timeline.zoom_in']" data-testid="zoom-in" @click="closer"><ze-sign name="plus"/></button></span>
        </div>
        <div class="ze-tl-grid">
          <div class="ze-tl-names" aria-hidden="true"><span class="is-ruler"></span><span>{{ t['timeline.sealed'] }}</span><span>{{ t['timeline.alert'] }}</span><span v-for="track in tracks" :key="track.id">{{ track.name }}</span></div>
          <div ref="ruler" class="ze-tl-ruler" role="slider" tabindex="0" :aria-label="t['timeline.scrub']" :aria-valuemin="data.from" :aria-valuemax="data.to" :aria-valuenow="cursor" :aria-valuetext="spoken" data-testid="ruler" @pointerdown="down" @pointermove="drag" @pointerup="up" @pointercancel="up" @wheel.prevent="wheel">
            <div class="ze-tl-ticks"><i v-for="tick in ticks" :key="tick.at" :style="{ left: tick.left + '%' }"><span>{{ tick.label }}</span></i></div>
            <div class="ze-tl-row"><i v-for="row in seals" :key="row.from" class="is-seal" :style="row.style" :title="t['timeline.sealed'] + ' ' + row.title + ' ' + row.at"></i></div>
            <div class="ze-tl-row"><button v-for="group in marks" :key="group.key" class="ze-tl-mark" :class="'is-' + (group.rows[0].severity || group.rows[0].kind)" :style="{ left: group.left + '%' }" :title="group.rows.map((row) => row.at + ' ' + row.title).slice(0, 6).join('\\n')" :aria-label="group.rows[0].at + ' ' + group.rows[0].title" tabindex="-1" @click="move(group.rows[0].utc_ms)"><ze-sign :name="group.rows[0].sign"/><small v-if="group.rows.length > 1">{{ group.rows.length }}</small></button></div>
            <div v-for="track in tracks" :key="track.id" class="ze-tl-row" :data-testid="'cover-' + track.id"><i v-for="(span, n) in track.spans" :key="'s' + n" class="is-recorded" :style="span"></i><i v-for="hole in track.holes" :key="'g' + hole.from" class="is-gap" :style="hole.style" :title="t['timeline.gap'] + ': ' + hole.reason + ' ' + hole.at"></i></div>
            <b v-if="cursorShown" class="ze-tl-cursor" :style="{ left: place(cursor) + '%' }"></b>
            <span v-if="loading" class="ze-spin ze-tl-spin" aria-hidden="true"></span>
          </div>
        </div>
        <p class="ze-tl-legend"><span><i class="is-recorded"></i>{{ t['timeline.recorded'] }}</span><span><i class="is-gap"></i>{{ t['timeline.gap'] }}</span><span><i class="is-seal"></i>{{ t['timeline.sealed'] }}</span><span class="ze-faint">{{ t['timeline.keys'] }}</span></p>
        <p v-if="!data.tracks.length" class="ze-tl-note"><ze-sign name="eye_off"/>{{ t['timeline.no_tracks'] }}</p>
        <p v-if="data.more_marks" class="ze-tl-note"><ze-sign name="warning"/>{{ t['timeline.more_marks'] }}</p>
        <details class="ze-ev-more ze-tl-list"><summary data-testid="timeline-events">{{ t['timeline.events'] }} ({{ events.length }})</summary>
          <p v-if="!events.length" class="ze-empty is-slim">{{ t['timeline.empty'] }}</p>
          <div v-else class="ze-tl-scroll"><table><thead><tr><th scope="col">{{ t['timeline.when'] }}</th><th scope="col">{{ t['timeline.what'] }}</th><th scope="col">{{ t['timeline.where'] }}</th></tr></thead>
            <tbody><tr v-for="row in events" :key="row.key"><td><button class="ze-button is-small is-quiet" @click="move(row.at)">{{ row.when }}</button></td><td>{{ row.what }}</td><td>{{ row.where }}</td></tr></tbody></table></div></details>
      </template>
    </section>`,
};
