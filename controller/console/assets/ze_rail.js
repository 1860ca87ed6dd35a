import { Sign, Still, Ticking, elapsed, typing } from "zeroentry-console";

export default {
  mixins: [Ticking],
  components: { ZeSign: Sign, ZeStill: Still },
  props: { t: Object, alerts: Array, opened: String, may: Boolean, loading: Boolean },
  emits: ["acknowledge", "open"],
  data: () => ({ all: false, selected: null, sent: {} }),
  mounted() {
    document.addEventListener("keydown", this.key);
    document.addEventListener("click", this.unfocus, true);
  },
  beforeUnmount() {
    document.removeEventListener("keydown", this.key);
    document.removeEventListener("click", this.unfocus, true);
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
    // The alert that space is for: the open one, the one with the focus, the newest of the room with the focus, the newest.
    due() {
      const at = document.activeElement;
      const fresh = (one) => one && one.handling === "new" && !this.sent[one.id];
      const by_id = (id) => this.alerts.find((one) => one.id === id && fresh(one));
      if (this.opened) return by_id(this.opened);
      const room = at?.closest?.("[data-room]")?.dataset.room;
      return by_id(at?.closest?.(".ze-alert")?.dataset.alert) || (room && this.alerts.find((one) => one.room_id === room && fresh(one))) || this.newest_new;
    },
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const at = event.target;
      const control = at instanceof HTMLElement && at.closest("input, textarea, select, button, video, audio, a, summary");
      const in_dialog = this.opened && !control;
      if (typing(event) && !in_dialog) return;
      const card = at instanceof HTMLElement && at.closest(".ze-alert");
      if (event.key === " ") {
        if (control && !control.closest(".ze-tile-view")) return;
        event.preventDefault();
        const one = this.due();
        if (one && !event.repeat) this.acknowledge(one);
      } else if (card && !this.opened && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
        event.preventDefault();
        this.select(card, event.key === "ArrowDown" ? 1 : -1);
      } else if (card && !control && !this.opened && event.key === "Enter") {
        this.$emit("open", card.dataset.alert);
      }
    },
    select(card, by) {
      const cards = [...this.$el.querySelectorAll(".ze-alert")];
      const next = cards[Math.min(Math.max(cards.indexOf(card) + by, 0), cards.length - 1)];
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    },
    // A button that was clicked would swallow the next space; one reached by keyboard keeps its focus.
    // At once, and before the button acts: the next key may come before any timer does.
    unfocus(event) {
      const at = document.activeElement;
      const by_pointer = event.detail > 0;
      if (by_pointer && at instanceof HTMLButtonElement && !at.closest("dialog, .ze-header, .ze-tile")) at.blur();
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
        <article v-for="a in shown" :key="a.id" class="ze-alert" :class="['is-' + a.severity, { 'is-new': a.handling === 'new', 'is-over': !a.active, 'is-selected': selected === a.id }]" tabindex="0" :aria-label="a.severity_label + ', ' + a.title + ', ' + a.room" :data-alert="a.id"
                 :data-testid="'alert-' + a.id" :data-handling="a.handling" :data-severity="a.severity" :data-condition="a.active ? 'active' : 'cleared'"
                 @focus="selected = a.id" @blur="selected = null" @click="$emit('open', a.id)">
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
    </aside>`,
};
