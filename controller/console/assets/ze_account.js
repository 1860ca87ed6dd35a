import { Sign } from "zeroentry-console";

export default {
  components: { ZeSign: Sign },
  props: { t: Object, me: Object, must: Array, logins: Array, tokens: Array, offer: Object, recovery: Array, token: String, problem: String, done: String, loading: Boolean, failed: Boolean, busy: Boolean },
  emits: ["password", "offer", "confirm", "remove", "end", "end-others", "make-token", "revoke", "hide", "language", "logout", "retry"],
  data: () => ({ old: "", fresh: "", again: "", code: "", removing: "", name: "", scopes: [], days: 90 }),
  watch: {
    done(now) {
      if (now === "password") this.old = this.fresh = this.again = "";
      if (now === "token") { this.name = ""; this.scopes = []; }
      this.code = this.removing = "";
    },
    problem() { this.code = this.removing = ""; },
  },
  computed: {
    differs() { return !!this.again && this.again !== this.fresh; },
    may_change() { return this.old && this.fresh.length >= (this.me ? this.me.least : 1) && this.fresh === this.again && !this.busy; },
    held() { return this.must.length > 0; },
  },
  methods: {
    copy: (text) => navigator.clipboard && navigator.clipboard.writeText(text),
  },
  template: `
    <div class="ze-account" data-testid="account" :data-must="must.join(' ')">
      <header class="ze-account-head"><h1>{{ t['account.title'] }}</h1>
        <span v-if="me" class="ze-chip"><ze-sign name="person"/>{{ me.username }}</span><span v-for="role in (me ? me.roles : [])" :key="role" class="ze-chip">{{ role }}</span>
        <span v-if="held" class="ze-account-right"><button class="ze-button is-small" data-testid="account-language" @click="$emit('language')"><ze-sign name="globe"/>{{ t['header.language'] }}</button>
          <button class="ze-button is-small" @click="$emit('logout')"><ze-sign name="leave"/>{{ t['header.logout'] }}</button></span></header>
      <p v-if="held" class="ze-banner is-problem" role="alert" data-testid="must"><ze-sign name="lock"/>{{ t['account.must_' + must[0]] }}</p>
      <p v-if="problem" class="ze-banner is-problem" role="alert" data-testid="account-problem"><ze-sign name="warning"/>{{ problem }}</p>
      <p v-if="done" class="ze-banner is-done" role="status" data-testid="account-done"><ze-sign name="check"/>{{ t['account.done_' + done] }}</p>
      <p v-if="loading" class="ze-empty">{{ t['state.loading'] }}</p>
      <p v-else-if="failed" class="ze-empty"><ze-sign name="link_off"/>{{ t['problem.lost'] }} <button class="ze-button is-small" @click="$emit('retry')">{{ t['account.retry'] }}</button></p>
      <div v-else class="ze-account-grid">
        <section v-if="!me.external && must[0] !== 'enrol_second_factor'" class="ze-panel ze-account-card"><h2>{{ t['account.password'] }}</h2>
          <form @submit.prevent="may_change && $emit('password', { old, fresh })">
            <label class="ze-field">{{ t['account.old'] }}<input v-model="old" type="password" autocomplete="current-password" maxlength="256" data-testid="password-old"></label>
            <label class="ze-field">{{ t['account.new'] }}<input v-model="fresh" type="password" autocomplete="new-password" maxlength="256" data-testid="password-new"></label>
            <p class="ze-faint">{{ t['account.least'].replace('{n}', me.least) }}</p>
            <label class="ze-field">{{ t['account.again'] }}<input v-model="again" type="password" autocomplete="new-password" maxlength="256" data-testid="password-again"></label>
            <p v-if="differs" class="ze-login-problem" role="alert"><ze-sign name="warning"/>{{ t['account.differs'] }}</p>
            <button class="ze-button is-main" :disabled="!may_change" data-testid="password-submit">{{ t['account.change'] }}</button></form></section>
        <section v-if="must[0] !== 'change_password' && !me.external" class="ze-panel ze-account-card"><h2>{{ t['account.factor'] }}</h2>
          <template v-if="recovery.length"><p class="ze-strong"><ze-sign name="check"/>{{ t['account.factor_on'] }}</p><p>{{ t['account.recovery_lead'] }}</p>
            <ol class="ze-recovery" data-testid="recovery"><li v-for="one in recovery" :key="one"><code>{{ one }}</code></li></ol>
            <footer class="ze-row"><button class="ze-button is-small" @click="copy(recovery.join('\\n'))">{{ t['account.copy'] }}</button><button class="ze-button is-main" data-testid="recovery-kept" @click="$emit('hide')">{{ t['account.kept'] }}</button></footer></template>
          <template v-else-if="me.second_factor"><p class="ze-strong"><ze-sign name="check"/>{{ t['account.factor_on'] }}</p><p class="ze-faint">{{ t['account.recovery_left'] }} {{ me.recovery_left }}</p>
            <form class="ze-row" @submit.prevent="removing && $emit('remove', removing)"><label class="ze-field">{{ t['account.code'] }}<input v-model="removing" inputmode="text" autocomplete="one-time-code" maxlength="20" data-testid="remove-code"></label>
              <button class="ze-button" :disabled="!removing || busy" data-testid="remove-factor">{{ t['account.remove'] }}</button></form></template>
          <template v-else-if="offer"><p>{{ t['account.scan'] }}</p><div class="ze-qr" role="img" :aria-label="t['account.qr']" data-testid="qr" v-html="offer.svg"></div>
            <p class="ze-faint">{{ t['account.by_hand'] }}</p><p><code class="ze-secret" data-testid="factor-secret">{{ offer.secret }}</code></p>
            <form class="ze-row" @submit.prevent="code && $emit('confirm', code)"><label class="ze-field">{{ t['account.code'] }}<input v-model="code" class="ze-code" inputmode="numeric" autocomplete="one-time-code" maxlength="6" data-testid="factor-code"></label>
              <button class="ze-button is-main" :disabled="code.length < 6 || busy" data-testid="factor-confirm">{{ t['account.confirm'] }}</button></form></template>
          <template v-else><p>{{ t['account.factor_off'] }}</p><button class="ze-button is-main" :disabled="busy" data-testid="factor-offer" @click="$emit('offer')"><ze-sign name="key"/>{{ t['account.enrol'] }}</button></template></section>
        <section v-if="!held" class="ze-panel ze-account-card is-wide"><header class="ze-row"><h2>{{ t['account.logins'] }}</h2><button class="ze-button is-small" :disabled="logins.length < 2 || busy" data-testid="end-others" @click="$emit('end-others')">{{ t['account.end_others'] }}</button></header>
          <ul class="ze-rows"><li v-for="row in logins" :key="row.id" data-testid="login-row"><span><b>{{ row.agent || t['account.unknown_agent'] }}</b><small>{{ row.address }} · {{ t['account.since'] }} {{ row.made }} · {{ t['account.used'] }} {{ row.used }}</small></span>
            <span v-if="row.current" class="ze-chip"><ze-sign name="check"/>{{ t['account.this_one'] }}</span><button v-else class="ze-button is-small" @click="$emit('end', row.id)">{{ t['account.end'] }}</button></li></ul></section>
        <section v-if="!held" class="ze-panel ze-account-card is-wide"><h2>{{ t['account.tokens'] }}</h2><p class="ze-faint">{{ t['account.tokens_lead'] }}</p>
          <div v-if="token" class="ze-once" role="status"><b>{{ t['account.token_once'] }}</b><code data-testid="token-given">{{ token }}</code><button class="ze-button is-small" @click="copy(token)">{{ t['account.copy'] }}</button><button class="ze-button is-small" @click="$emit('hide')">{{ t['account.kept'] }}</button></div>
          <p v-if="!tokens.length" class="ze-empty is-slim"><ze-sign name="key"/>{{ t['account.no_tokens'] }}</p>
          <ul class="ze-rows"><li v-for="row in tokens" :key="row.id" data-testid="token-row"><span><b>{{ row.name }}</b><small>{{ row.scopes }}</small><small>{{ t['account.until'] }} {{ row.until }} · {{ t['account.used'] }} {{ row.used || '—' }}</small></span><button class="ze-button is-small" @click="$emit('revoke', row.id)">{{ t['account.revoke'] }}</button></li></ul>
          <details><summary>{{ t['account.make_token'] }}</summary>
            <form @submit.prevent="name && scopes.length && $emit('make-token', { name, scopes, days })">
              <label class="ze-field">{{ t['account.token_name'] }}<input v-model="name" maxlength="80" data-testid="token-name"></label>
              <label class="ze-field">{{ t['account.days'] }}<input v-model.number="days" type="number" min="1" max="366"></label>
              <fieldset class="ze-checks"><legend>{{ t['account.scopes'] }}</legend><label v-for="scope in me.scopes" :key="scope" class="ze-check"><input type="checkbox" :value="scope" v-model="scopes" :data-testid="'scope-' + scope"><span>{{ scope }}</span></label></fieldset>
              <button class="ze-button is-main" :disabled="!name || !scopes.length || busy" data-testid="token-make">{{ t['account.make_token'] }}</button></form></details></section>
      </div>
    </div>`,
};
