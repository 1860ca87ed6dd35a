import { Mark, Sign } from "zeroentry-console";

export default {
  components: { ZeMark: Mark, ZeSign: Sign },
  props: { t: Object, state: String, first: Boolean, three: Boolean, username: String, least: Number, problem: String, busy: Boolean, links: Array },
  emits: ["secret", "submit", "language"],
  data: () => ({ name: "", password: "", again: "", security: "", audit: "", own_three: false }),
  mounted() {
    const secret = decodeURIComponent(window.location.hash.slice(1));
    // The link is good once: it does not stay in the address bar or the history.
    history.replaceState(null, "", window.location.pathname);
    this.$emit("secret", secret);
  },
  computed: {
    differs() {
      return !!this.again && this.again !== this.password;
    },
    apart() {
      return this.three || this.own_three;
    },
    ready() {
      const names = !this.first || (this.name && (!this.apart || (this.security && this.audit)));
      return names && this.password.length >= this.least && this.again === this.password && !this.busy;
    },
  },
  methods: {
    send() {
      if (this.ready) this.$emit("submit", { name: this.name, password: this.password, security: this.apart ? this.security : "", audit: this.apart ? this.audit : "" });
    },
    copy: (text) => navigator.clipboard && navigator.clipboard.writeText(text),
  },
  template: `
    <div class="ze-login">
      <button class="ze-button is-quiet ze-login-language" data-testid="language" :title="t['header.language_hint']" @click="$emit('language')"><ze-sign name="globe"/>{{ t['header.language'] }}</button>
      <main class="ze-login-card ze-welcome" :data-state="state" data-testid="welcome">
        <ze-mark/>
        <h1>{{ t[first ? 'welcome.first' : 'welcome.title'] }}</h1>
        <p v-if="state === 'asking'" class="ze-login-tagline">{{ t['state.loading'] }}</p>
        <template v-else-if="state === 'dead'"><p class="ze-login-problem" role="alert"><ze-sign name="warning"/>{{ problem }}</p><a class="ze-button" href="/login">{{ t['login.title'] }}</a></template>
        <template v-else-if="state === 'done'">
          <p class="ze-login-tagline" data-testid="welcome-done">{{ t['welcome.done'] }}</p>
          <section v-if="links.length"><p>{{ t['welcome.links'] }}</p>
            <div v-for="link in links" :key="link.username" class="ze-once"><b>{{ link.username }}</b><code>{{ link.url }}</code>
              <button class="ze-button is-small" @click="copy(link.url)">{{ t['account.copy'] }}</button></div></section>
          <a class="ze-button is-main is-large" href="/login" data-testid="welcome-login">{{ t['login.submit'] }}</a>
        </template>
        <form v-else @submit.prevent="send">
          <p class="ze-login-tagline">{{ first ? t['welcome.first_lead'] : t['welcome.lead'] + ' ' + username }}</p>
          <label v-if="first">{{ t['welcome.name'] }}<input v-model="name" autocomplete="username" autocapitalize="off" spellcheck="false" maxlength="64" required data-testid="welcome-name"></label>
          <label>{{ t['account.new'] }}<input v-model="password" type="password" autocomplete="new-password" maxlength="256" required aria-describedby="ze-least" data-testid="welcome-password"></label>
          <p id="ze-least" class="ze-faint">{{ t['account.least'].replace('{n}', least) }}</p>
          <label>{{ t['account.again'] }}<input v-model="again" type="password" autocomplete="new-password" maxlength="256" required data-testid="welcome-again"></label>
          <p v-if="differs" class="ze-login-problem" role="alert"><ze-sign name="warning"/>{{ t['account.differs'] }}</p>
          <template v-if="first">
            <label v-if="!three" class="ze-check"><input v-model="own_three" type="checkbox" data-testid="welcome-three"><span>{{ t['welcome.apart'] }}</span></label>
            <p v-else class="ze-faint">{{ t['welcome.level3'] }}</p>
            <template v-if="apart">
              <label>{{ t['role.security_admin'] }}<input v-model="security" autocapitalize="off" spellcheck="false" maxlength="64" required data-testid="welcome-security"></label>
              <label>{{ t['role.audit_admin'] }}<input v-model="audit" autocapitalize="off" spellcheck="false" maxlength="64" required data-testid="welcome-audit"></label>
            </template>
          </template>
          <p v-if="problem" class="ze-login-problem" role="alert" data-testid="welcome-problem"><ze-sign name="warning"/>{{ problem }}</p>
          <button class="ze-button is-main is-large" type="submit" :disabled="!ready" data-testid="welcome-submit">{{ t['welcome.submit'] }}</button>
        </form>
      </main>
    </div>`,
};
