import { Mark, Sign } from "zeroentry-console";

export default {
  components: { ZeMark: Mark, ZeSign: Sign },
  props: { t: Object, text: String, href: String },
  template: `
    <main class="ze-notice" data-testid="notice"><ze-mark/><h1>{{ text }}</h1><a class="ze-button is-large" :href="href">{{ t['state.back'] }}</a></main>`,
};
