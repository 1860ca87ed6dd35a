import { Modal, Sign } from "zeroentry-console";

const EMPTY = { id: "", name: "", address: "", language: "zh-CN", levels: [], enabled: true };

export default {
  components: { ZeSign: Sign, ZeModal: Modal },
  props: { t: Object, channels: Array, log: Array, older: Boolean, may: Boolean, loading: Boolean, problem: String, said: String, saved: Number },
  emits: ["channel", "remove", "test", "retry", "older"],
  data: () => ({ form: null, known: false, gone: null }),
  watch: {
    saved() {
      this.form = null;
    },
  },
  methods: {
    change(channel) {
      this.known = !!channel;
      const { id, name, language, levels, enabled } = channel || EMPTY;
      this.form = { id, name, language, levels: [...levels], enabled, address: "" };
    },
    save() {
      this.$emit("channel", { ...this.form, id: this.form.id.trim(), name: this.form.name.trim() });
    },
    remove() {
      this.$emit("remove", this.gone.id);
      this.gone = null;
    },
  },
  template: `
    <div v-if="may" class="ze-duty-board" data-testid="notices">
      <section class="ze-panel" :aria-label="t['duty.channels']"><header class="ze-panel-head"><h2>{{ t['duty.channels'] }}</h2><button class="ze-button is-small" data-testid="channel-add" @click="change(null)"><ze-sign name="plus"/>{{ t['duty.add'] }}</button></header>
        <p class="ze-panel-text ze-faint">{{ t['duty.channels_text'] }}</p>
        <p v-if="said" class="ze-panel-text" role="status" data-testid="channels-said"><ze-sign name="check"/> {{ said }}</p>
        <p v-if="loading" class="ze-empty is-slim"><span class="ze-spin"></span>{{ t['duty.loading'] }}</p>
        <p v-else-if="!channels.length" class="ze-empty is-slim" data-testid="channels-empty"><ze-sign name="bell"/>{{ t['duty.channels_empty'] }}</p>
        <ul v-else class="ze-duty-channels"><li v-for="c in channels" :key="c.id" :data-testid="'channel-' + c.id"><div><b>{{ c.name }}</b> <small class="ze-faint">{{ c.id }} · {{ c.kind }}<template v-if="c.hint">://{{ c.hint }}</template> · {{ c.language }}<template v-if="c.levels_label"> · {{ c.levels_label }}</template></small> <span class="ze-chip" :class="{ 'is-warning': !c.enabled }">{{ c.enabled ? t['duty.enabled'] : t['duty.disabled'] }}</span> <small v-if="c.from_environment" class="ze-faint">{{ t['duty.from_env'] }}</small></div>
          <span><button class="ze-button is-small" :data-testid="'test-' + c.id" @click="$emit('test', c.id)">{{ t['duty.test'] }}</button><template v-if="!c.from_environment"><button class="ze-button is-small" @click="change(c)">{{ t['duty.change'] }}</button><button class="ze-button is-small is-quiet" @click="gone = c">{{ t['duty.remove'] }}</button></template></span></li></ul>
      </section>
      <section class="ze-panel" :aria-label="t['duty.log']"><header class="ze-panel-head"><h2>{{ t['duty.log'] }}</h2></header>
        <p v-if="!log.length && !loading" class="ze-empty is-slim" data-testid="log-empty"><ze-sign name="report"/>{{ t['duty.log_empty'] }}</p>
        <ul class="ze-duty-log" data-testid="notice-log"><li v-for="n in log" :key="n.id" :data-testid="'notice-' + n.id"><p>{{ n.text }}</p><small class="ze-faint">{{ n.at }}<template v-if="n.level"> · {{ n.level }}</template></small>
          <p v-if="n.nobody" class="is-dead"><ze-sign name="warning"/>{{ t['duty.log_nobody'] }}</p>
          <p v-for="d in n.deliveries" :key="d.number" :class="'is-' + d.state" :data-state="d.state"><ze-sign :name="{ delivered: 'check', waiting: 'clock', dead: 'warning' }[d.state]"/>{{ d.state_label }} · {{ d.channel }}<template v-if="d.recipient"> · {{ d.recipient }}</template> · {{ d.tries }} {{ t['duty.tries'] }}<template v-if="d.at && d.state !== 'dead'"> · {{ d.at }}</template><template v-if="d.error"> · {{ d.error }}</template>
            <button v-if="d.state === 'dead'" class="ze-button is-small" @click="$emit('retry', d.number)">{{ t['duty.retry'] }}</button></p></li></ul>
        <footer v-if="older" class="ze-pages"><button class="ze-button is-small" @click="$emit('older', true)">{{ t['duty.log_more'] }}</button></footer></section>
      <ze-modal :open="!!form" :label="t['duty.add']" testid="channel-form" @close="form = null"><form v-if="form" @submit.prevent="save" autocomplete="off"><h2>{{ known ? t['duty.change'] : t['duty.add'] }}</h2>
        <label class="ze-field">{{ t['duty.channel_id'] }}<input v-model="form.id" :disabled="known" required maxlength="40" pattern="[a-z0-9]([a-z0-9\\-]{0,38}[a-z0-9])?" data-testid="channel-id"></label>
        <label class="ze-field">{{ t['duty.channel_name'] }}<input v-model="form.name" required maxlength="40" data-testid="channel-name"></label>
        <label class="ze-field">{{ t['duty.channel_address'] }}<input v-model="form.address" type="password" autocomplete="new-password" :required="!known" maxlength="1000" :placeholder="known ? t['duty.channel_keep'] : 'jsons://…'" data-testid="channel-address"></label>
        <label class="ze-field">{{ t['duty.channel_language'] }}<select v-model="form.language"><option value="zh-CN">{{ t['duty.zh'] }}</option><option value="en">{{ t['duty.en'] }}</option></select></label>
        <fieldset class="ze-duty-set"><legend>{{ t['duty.channel_levels'] }}</legend><label v-for="l in [1, 2, 3]" :key="l"><input v-model="form.levels" type="checkbox" :value="l"> {{ t['duty.level' + l] }}</label></fieldset>
        <label class="ze-duty-check"><input v-model="form.enabled" type="checkbox">{{ t['duty.enabled'] }}</label>
        <p v-if="problem" class="ze-duty-problem" role="alert" data-testid="channel-problem"><ze-sign name="warning"/>{{ problem }}</p>
        <footer class="ze-modal-foot"><button class="ze-button" type="button" @click="form = null">{{ t['duty.cancel'] }}</button><button class="ze-button is-main" type="submit" data-testid="channel-save">{{ t['duty.save'] }}</button></footer></form></ze-modal>
      <ze-modal :open="!!gone" :label="t['duty.remove']" testid="channel-gone" @close="gone = null"><template v-if="gone"><h2>{{ gone.name }}</h2><p>{{ t['duty.remove_sure'] }}</p><footer class="ze-modal-foot"><button class="ze-button" @click="gone = null">{{ t['duty.cancel'] }}</button><button class="ze-button is-main" @click="remove">{{ t['duty.remove'] }}</button></footer></template></ze-modal>
    </div>`,
};
