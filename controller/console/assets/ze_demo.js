import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, state: String, loop: Number, steps: Array, todo: String, now: String, next: String, sent: String, refused: String, cues: Array },
  emits: ["cue"],
  watch: {
    steps() {
      this.$nextTick(this.reveal);
    },
  },
  mounted() {
    this.reveal();
  },
  methods: {
    reveal() {
      const here = this.$refs.track?.querySelector(".is-active");
      if (here) this.$refs.track.scrollTo({ left: here.offsetLeft - 40, behavior: "smooth" });
    },
    sign: (status) => ({ done: "check", failed: "cross" })[status] || "dot",
  },
  template: `
    <section class="ze-demo" :aria-label="t['demo.title']" data-testid="demo-bar">
      <div class="ze-demo-now">
        <span class="ze-chip">{{ t['demo.title'] }}<template v-if="loop"> · {{ t['demo.day'] }} {{ loop }} {{ t['demo.day_tail'] }}</template></span>
        <p v-if="state === 'lost'" data-testid="demo-lost">{{ t['demo.lost'] }}</p>
        <p v-else-if="todo" class="is-todo" data-testid="demo-todo"><ze-sign name="hand"/><b>{{ t['demo.now'] }}</b> {{ todo }}</p>
        <p v-else data-testid="demo-now"><template v-if="now">{{ t['demo.watch'] }} · {{ now }}</template><template v-else-if="next">{{ t['demo.next'] }} · {{ next }}</template><template v-else>{{ t['demo.waiting'] }}</template></p>
      </div>
      <ol class="ze-demo-track" ref="track" :aria-label="t['demo.steps']">
        <li v-for="step in steps" :key="step.id" :class="'is-' + step.status" :data-testid="'demo-step-' + step.id" :data-status="step.status">
          <ze-sign :name="sign(step.status)"/><span>{{ step.title }}</span>
          <span class="ze-hidden">{{ t['demo.' + step.status + '_step'] }}</span></li>
      </ol>
      <div class="ze-demo-cues">
        <button v-for="cue in cues" :key="cue.id" class="ze-button is-small" :data-testid="'cue-' + cue.id" :title="cue.label"
                @click="$emit('cue', cue.id)"><ze-sign :name="sent === cue.id ? 'check' : cue.sign"/><span>{{ cue.label }}</span></button>
      </div>
      <p v-if="refused" class="ze-demo-refused" role="status" data-testid="demo-refused"><ze-sign name="notice"/>{{ refused }}</p>
    </section>`,
};
