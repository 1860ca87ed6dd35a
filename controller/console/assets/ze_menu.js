import { Sign } from "zeroentry-console";

const copy = (value) => JSON.parse(JSON.stringify(value));
const NUMBERS = ["prepare_min", "window_min", "window_max", "ahead_days", "boxes", "boxes_per_compartment", "box_back_min", "portions_per_meal", "portions_per_day"];

export default {
  components: { ZeSign: Sign },
  props: { t: Object, menu: Object, choices: Object, changed_by: String, errors: Object, stale: Boolean, saved: Number, loading: Boolean },
  emits: ["save", "theirs"],
  data: () => ({ draft: null, base: "", opened: null, gone: {}, busy: false, numbers: NUMBERS }),
  created() {
    this.take();
  },
  mounted() {
    window.addEventListener("beforeunload", this.leaving);
  },
  beforeUnmount() {
    window.removeEventListener("beforeunload", this.leaving);
  },
  watch: {
    // Another revision never replaces what somebody is typing: "newer" says so instead.
    menu() {
      if (!this.draft || !this.dirty) this.take();
    },
    saved() {
      this.take();
    },
    errors() {
      this.busy = false;
    },
    stale() {
      this.busy = false;
    },
  },
  computed: {
    // What would be sent: without what was taken off, empty times as none.
    kept() {
      return this.draft ? this.draft.dishes.filter((dish) => !this.gone[dish.id]) : [];
    },
    wanted() {
      return JSON.stringify({ dishes: this.kept, terms: this.draft ? this.draft.terms : {} });
    },
    dirty() {
      return this.wanted !== this.base;
    },
    newer() {
      return this.draft && this.menu.revision !== this.draft.revision;
    },
  },
  methods: {
    take() {
      this.busy = false;
      this.gone = {};
      this.draft = this.menu && this.menu.dishes ? copy(this.menu) : null;
      this.base = this.wanted;
    },
    theirs() {
      this.take();
      this.$emit("theirs");
    },
    leaving(event) {
      if (this.dirty) event.preventDefault();
    },
    name(dish) {
      return dish.name[this.t["menu.title"] === "Menu and terms" ? "en" : "zh"] || this.t["menu.new"];
    },
    add() {
      const id = "dish-" + Math.random().toString(36).slice(2, 10);
      this.draft.dishes.push({ id, name: { zh: "", en: "" }, kind: "meal", course: "main", allergens: [], diets: [], portions: ["regular"], days: [], from_local: null, until_local: null, boxes: 1, sold_out: false });
      this.opened = id;
    },
    add_meal() {
      const id = "meal-" + Math.random().toString(36).slice(2, 10);
      this.draft.terms.meals.push({ id, name: { zh: "", en: "" }, from_local: "", until_local: "", cut_off_min: 60 });
    },
    at(dish) {
      return this.kept.indexOf(dish);
    },
    wrong(path) {
      return this.errors[path] || "";
    },
    wrong_in(dish) {
      const start = "dishes." + this.at(dish) + ".";
      return Object.keys(this.errors).some((path) => path.startsWith(start));
    },
    shown(dish) {
      return !this.gone[dish.id] && (this.opened === dish.id || this.wrong_in(dish));
    },
    flip(list, id) {
      const at = list.indexOf(id);
      if (at < 0) list.push(id);
      else list.splice(at, 1);
    },
    save() {
      this.busy = true;
      setTimeout(() => (this.busy = false), 6000);
      const sent = copy({ revision: this.draft.revision, dishes: this.kept, terms: this.draft.terms });
      this.$emit("save", sent);
    },
  },
  template: `
    <main class="ze-kitchen ze-menu" data-testid="menu-editor">
      <header><p><a href="/kitchen"><ze-sign name="left"/>{{ t['menu.back'] }}</a></p><h1>{{ t['menu.title'] }}</h1><p>{{ t['menu.lead'] }} {{ t['menu.changed_by'] }}: {{ changed_by }}</p></header>
      <p v-if="stale || newer" class="ze-banner is-problem" role="alert" data-testid="menu-stale"><ze-sign name="warning"/>{{ t['menu.stale'] }}<button class="ze-button" data-testid="menu-theirs" @click="theirs">{{ t['menu.take_theirs'] }}</button></p>
      <div v-if="Object.keys(errors).length" class="ze-banner is-problem" role="alert" data-testid="menu-wrong"><ze-sign name="warning"/>{{ t['menu.wrong'] }} {{ Object.keys(errors).length }}<template v-if="errors.dishes">. {{ errors.dishes }}</template></div>
      <template v-if="draft">
      <section :aria-label="t['menu.dishes']"><h2>{{ t['menu.dishes'] }}</h2>
        <article v-for="dish in draft.dishes" :key="dish.id" class="ze-menu-dish" :class="{ 'is-gone': gone[dish.id], 'is-wrong': wrong_in(dish) }" :data-testid="'dish-' + dish.id">
          <p class="ze-menu-head"><button class="ze-button" :aria-expanded="String(shown(dish))" :disabled="gone[dish.id]" :data-testid="'open-' + dish.id" @click="opened = opened === dish.id ? null : dish.id"><b>{{ name(dish) }}</b><span class="ze-faint">{{ (choices.kinds.find((one) => one.id === dish.kind) || {}).name }}<template v-if="dish.sold_out"> · {{ t['menu.sold_out'] }}</template></span></button>
            <span v-if="gone[dish.id]" class="ze-faint">{{ t['menu.removed'] }}</span><button class="ze-button" :data-testid="'remove-' + dish.id" @click="gone = { ...gone, [dish.id]: !gone[dish.id] }"><ze-sign :name="gone[dish.id] ? 'check' : 'cross'"/>{{ t[gone[dish.id] ? 'menu.undo' : 'menu.remove'] }}</button></p>
          <div v-if="shown(dish)" class="ze-menu-form">
            <label v-for="lang in ['zh', 'en']" :key="lang"><span>{{ t['menu.' + lang] }}</span><input v-model="dish.name[lang]" maxlength="60" :lang="lang" :aria-invalid="String(!!wrong('dishes.' + at(dish) + '.name.' + lang))" :data-testid="'name-' + lang + '-' + dish.id"><em v-if="wrong('dishes.' + at(dish) + '.name.' + lang)" role="alert" :data-testid="'wrong-name-' + lang + '-' + dish.id">{{ wrong('dishes.' + at(dish) + '.name.' + lang) }}</em></label>
            <label><span>{{ t['menu.kind'] }}</span><select v-model="dish.kind"><option v-for="one in choices.kinds" :key="one.id" :value="one.id">{{ one.name }}</option></select></label>
            <label v-if="dish.kind === 'meal'"><span>{{ t['menu.course'] }}</span><select v-model="dish.course"><option v-for="one in choices.courses" :key="one.id" :value="one.id">{{ one.name }}</option></select></label>
            <fieldset v-for="part in (dish.kind === 'meal' ? ['portions', 'allergens', 'diets', 'days'] : ['portions', 'days'])" :key="part"><legend>{{ t['menu.' + part] }}</legend><button v-for="one in choices[part]" :key="one.id" type="button" class="ze-chip-button" role="checkbox" :aria-checked="String(dish[part].includes(one.id))" :data-testid="part + '-' + one.id + '-' + dish.id" @click="flip(dish[part], one.id)"><ze-sign :name="dish[part].includes(one.id) ? 'check' : 'dot'"/>{{ one.name }}</button><em v-if="wrong('dishes.' + at(dish) + '.' + part)" role="alert">{{ wrong('dishes.' + at(dish) + '.' + part) }}</em></fieldset>
            <label><span>{{ t['menu.from'] }}</span><input :value="dish.from_local || ''" type="time" :data-testid="'from-' + dish.id" @input="dish.from_local = $event.target.value || null"><em v-if="wrong('dishes.' + at(dish) + '.from_local')" role="alert">{{ wrong('dishes.' + at(dish) + '.from_local') }}</em></label>
            <label><span>{{ t['menu.until'] }}</span><input :value="dish.until_local || ''" type="time" @input="dish.until_local = $event.target.value || null"><em v-if="wrong('dishes.' + at(dish) + '.until_local')" role="alert" :data-testid="'wrong-until-' + dish.id">{{ wrong('dishes.' + at(dish) + '.until_local') }}</em></label>
            <label v-if="dish.kind === 'meal'"><span>{{ t['menu.boxes'] }}</span><input v-model="dish.boxes" type="number" min="0" max="4"><em v-if="wrong('dishes.' + at(dish) + '.boxes')" role="alert">{{ wrong('dishes.' + at(dish) + '.boxes') }}</em></label>
            <button type="button" class="ze-chip-button" role="checkbox" :aria-checked="String(dish.sold_out)" @click="dish.sold_out = !dish.sold_out"><ze-sign :name="dish.sold_out ? 'check' : 'dot'"/>{{ t['menu.sold_out'] }}</button>
          </div></article>
        <p><button class="ze-button is-large" data-testid="menu-add" @click="add"><ze-sign name="plus"/>{{ t['menu.add'] }}</button></p></section>
      <section :aria-label="t['menu.terms']"><h2>{{ t['menu.terms'] }}</h2><h3>{{ t['menu.meals'] }}</h3>
        <div v-for="(meal, n) in draft.terms.meals" :key="meal.id" class="ze-menu-form" :data-testid="'meal-' + meal.id">
          <label v-for="lang in ['zh', 'en']" :key="lang"><span>{{ t['menu.' + lang] }}</span><input v-model="meal.name[lang]" maxlength="60" :lang="lang"><em v-if="wrong('terms.meals.' + n + '.name.' + lang)" role="alert">{{ wrong('terms.meals.' + n + '.name.' + lang) }}</em></label>
          <label v-for="end in ['from', 'until']" :key="end"><span>{{ t['menu.meal_' + end] }}</span><input v-model="meal[end + '_local']" type="time"><em v-if="wrong('terms.meals.' + n + '.' + end + '_local')" role="alert">{{ wrong('terms.meals.' + n + '.' + end + '_local') }}</em></label>
          <label><span>{{ t['menu.cut_off_min'] }}</span><input v-model="meal.cut_off_min" type="number" min="0" max="2880"><em v-if="wrong('terms.meals.' + n + '.cut_off_min')" role="alert">{{ wrong('terms.meals.' + n + '.cut_off_min') }}</em></label>
          <button type="button" class="ze-button" :aria-label="t['menu.remove'] + ': ' + meal.name.en" @click="draft.terms.meals.splice(n, 1)"><ze-sign name="cross"/></button></div>
        <p><button class="ze-button" @click="add_meal"><ze-sign name="plus"/>{{ t['menu.meal_add'] }}</button></p>
        <div class="ze-menu-form"><label v-for="one in numbers" :key="one"><span>{{ t['menu.' + (one === 'boxes' ? 'house_boxes' : one)] }}</span><input v-model="draft.terms[one]" type="number" min="0" :aria-invalid="String(!!wrong('terms.' + one))" :data-testid="'term-' + one"><em v-if="wrong('terms.' + one)" role="alert" :data-testid="'wrong-' + one">{{ wrong('terms.' + one) }}</em></label>
          <button type="button" class="ze-chip-button" role="checkbox" :aria-checked="String(draft.terms.at_once)" @click="draft.terms.at_once = !draft.terms.at_once"><ze-sign :name="draft.terms.at_once ? 'check' : 'dot'"/>{{ t['menu.at_once'] }}</button></div></section>
      <footer class="ze-menu-foot"><span role="status" data-testid="menu-status">{{ dirty ? '' : saved ? t['menu.saved'] : t['menu.nothing'] }}</span><button class="ze-button is-large" :disabled="!dirty" data-testid="menu-discard" @click="take">{{ t['menu.discard'] }}</button><button class="ze-button is-main is-large" :disabled="!dirty || busy || newer" data-testid="menu-save" @click="save"><ze-sign name="check"/>{{ t['menu.save'] }}</button></footer>
      </template>
    </main>`,
};
