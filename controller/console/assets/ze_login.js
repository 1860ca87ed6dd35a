import { Mark, Sign } from "zeroentry-console";

export default {
  components: { ZeMark: Mark, ZeSign: Sign },
  props: { t: Object, problem: String, busy: Boolean, code_needed: Boolean, sso: String },
  emits: ["submit", "language", "sso", "back"],
  data: () => ({ username: "", password: "", code: "" }),
  mounted() {
    this.$refs.username.focus();
  },
  watch: {
    code_needed(now) {
      this.code = "";
      this.$nextTick(() => (now ? this.$refs.code : this.$refs.username).focus());
    },
    problem() {
      if (this.code_needed) this.code = "";
    },
  },
  methods: {
    send() {
      if (this.busy || !this.username || !this.password || (this.code_needed && !this.code)) return;
      this.$emit("submit", { username: this.username, password: this.password, code: this.code_needed ? this.code : "" });
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
          <div v-show="!code_needed" class="ze-login-fields">
            <label>{{ t['login.username'] }}
              <input ref="username" v-model="username" name="username" autocomplete="username" autocapitalize="off"
                     spellcheck="false" maxlength="64" data-testid="login-username"></label>
            <label>{{ t['login.password'] }}
              <input v-model="password" type="password" name="password" autocomplete="current-password"
                     maxlength="256" data-testid="login-password"></label>
          </div>
          <template v-if="code_needed">
            <label>{{ t['login.code'] }}
              <input ref="code" v-model="code" name="code" autocomplete="one-time-code" inputmode="text" autocapitalize="off"
                     spellcheck="false" maxlength="20" class="ze-code" aria-describedby="ze-code-hint" data-testid="login-code"></label>
            <p id="ze-code-hint" class="ze-faint">{{ t['login.code_hint'] }}</p>
          </template>
          <p v-if="problem" class="ze-login-problem" role="alert" data-testid="login-problem"><ze-sign name="warning"/>{{ problem }}</p>
          <button class="ze-button is-main is-large" type="submit" :disabled="busy" data-testid="login-submit">
            {{ busy ? t['login.busy'] : t['login.submit'] }}</button>
          <button v-if="code_needed" class="ze-button is-quiet" type="button" data-testid="login-back" @click="$emit('back')">{{ t['login.back'] }}</button>
          <button v-else-if="sso" class="ze-button is-large" type="button" :disabled="busy" data-testid="login-sso" @click="$emit('sso')"><ze-sign name="key"/>{{ t['login.sso'] }} {{ sso }}</button>
        </form>
      </main>
      <p class="ze-login-foot">{{ t['login.foot'] }}</p>
    </div>`,
};
