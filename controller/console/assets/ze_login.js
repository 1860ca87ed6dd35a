import { Mark, Sign } from "zeroentry-console";

export default {
  components: { ZeMark: Mark, ZeSign: Sign },
  props: { t: Object, problem: String, busy: Boolean },
  emits: ["submit", "language"],
  data: () => ({ username: "", password: "" }),
  mounted() {
    this.$refs.username.focus();
  },
  methods: {
    send() {
      if (!this.busy && this.username && this.password)
        this.$emit("submit", { username: this.username, password: this.password });
    },
  },
  template: `
    <div class="ze-login">
      <button class="ze-button is-quiet ze-login-language" data-testid="language" :title="t['header.language_hint']"
              @click="$emit('language')"><ze-sign name="globe"/>{{ t['header.language'] }}</button>
      <main class="ze-login-card">
        <ze-mark/>
        <h1>{{ t['app.name'] }}</h1>
        <p class="ze-login-tagline">{{ t['app.tagline'] }}</p>
        <form @submit.prevent="send" data-testid="login-form">
          <label>{{ t['login.username'] }}
            <input ref="username" v-model="username" name="username" autocomplete="username" autocapitalize="off"
                   spellcheck="false" maxlength="64" data-testid="login-username"></label>
          <label>{{ t['login.password'] }}
            <input v-model="password" type="password" name="password" autocomplete="current-password"
                   maxlength="256" data-testid="login-password"></label>
          <p v-if="problem" class="ze-login-problem" role="alert" data-testid="login-problem"><ze-sign name="warning"/>{{ problem }}</p>
          <button class="ze-button is-main is-large" type="submit" :disabled="busy" data-testid="login-submit">
            {{ busy ? t['login.busy'] : t['login.submit'] }}</button>
        </form>
      </main>
      <p class="ze-login-foot">{{ t['login.foot'] }}</p>
    </div>`,
};
