import { Mark, Sign } from "zeroentry-console";

const DIGITS = 6;

export default {
  components: { ZeMark: Mark, ZeSign: Sign },
  props: { t: Object, robot: String, face: String, room: String, tries: Number, tries_max: Number, wrong: Number, locked_until: String, no_pin: Boolean, releasing: Boolean, problem: String, lost: Boolean },
  emits: ["pin", "language"],
  data: () => ({ typed: "", busy: false, shake: false }),
  mounted() {
    document.addEventListener("keydown", this.key);
  },
  beforeUnmount() {
    document.removeEventListener("keydown", this.key);
  },
  watch: {
    face() {
      this.typed = "";
      this.busy = false;
    },
    wrong() {
      this.typed = "";
      this.busy = false;
      this.shake = true;
      setTimeout(() => (this.shake = false), 500);
    },
    problem() {
      this.busy = false;
    },
  },
  computed: {
    sign() {
      return { locked: "lock", open: "meal", thanks: "check", travelling: "robot", unlocking: "unlock", failed: "warning" }[this.face] || "hand";
    },
  },
  methods: {
    type(digit) {
      if (this.face !== "enter" || this.busy || this.typed.length >= DIGITS) return;
      this.typed += digit;
      if (this.typed.length === DIGITS) this.send();
    },
    send() {
      this.busy = true;
      this.$emit("pin", this.typed);
      setTimeout(() => (this.busy = false), 6000);
    },
    key(event) {
      if (/^[0-9]$/.test(event.key)) this.type(event.key);
      else if (event.key === "Backspace") this.typed = this.typed.slice(0, -1);
      else if (event.key === "Escape") this.typed = "";
    },
  },
  template: `
    <div class="ze-door" :class="'is-' + face" data-testid="door" :data-face="face">
      <header><ze-mark/><b>{{ robot }}</b><span v-if="room">→ {{ room }}</span><button class="ze-button" data-testid="language" @click="$emit('language')"><ze-sign name="globe"/>{{ t['header.language'] }}</button></header>
      <p v-if="lost" class="ze-banner is-lost" role="alert"><ze-sign name="link_off"/>{{ t['banner.lost'] }}</p>
      <p v-if="problem" class="ze-banner is-problem" role="alert" data-testid="door-problem"><ze-sign name="warning"/>{{ problem }}</p>
      <main v-if="face === 'enter'" class="ze-keypad-page">
        <div class="ze-keypad-words"><h1>{{ t['door.enter'] }}</h1><p>{{ t[no_pin ? 'door.no_pin' : 'door.enter_text'] }}</p>
          <p class="ze-typed" :class="{ 'is-wrong': shake }" role="status" :aria-label="t['door.digits'] + ' ' + typed.length" data-testid="typed"><i v-for="n in 6" :key="n" :class="{ lit: n <= typed.length }"></i></p>
          <p class="ze-tries" :class="{ 'is-few': tries < tries_max }" data-testid="tries"><template v-if="tries < tries_max"><ze-sign name="warning"/>{{ t['door.wrong'] }} {{ t['door.tries'] }} {{ tries }} {{ t['door.tries_tail'] }}</template></p></div>
        <div class="ze-keypad"><button v-for="n in 9" :key="n" :data-testid="'key-' + n" @click="type(String(n))">{{ n }}</button>
          <button class="is-side" :aria-label="t['door.clear']" data-testid="key-clear" @click="typed = ''"><ze-sign name="cross"/></button><button data-testid="key-0" @click="type('0')">0</button>
          <button class="is-side" :aria-label="t['door.delete']" data-testid="key-delete" @click="typed = typed.slice(0, -1)"><ze-sign name="backspace"/></button></div>
      </main>
      <main v-else class="ze-door-face" aria-live="polite"><span class="ze-door-sign"><ze-sign :name="sign"/></span><h1>{{ t['door.' + face] }}</h1><p>{{ t['door.' + face + '_text'] }}</p><p v-if="face === 'locked' && locked_until" data-testid="door-locked-until"><ze-sign name="clock"/> {{ t['door.lock_wait'] }} <b>{{ locked_until }}</b></p><p v-if="releasing" role="status" data-testid="door-releasing">{{ t['door.releasing'] }}</p></main>
    </div>`,
};
