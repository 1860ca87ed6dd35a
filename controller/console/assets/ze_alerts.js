import { Sign, Ticking } from "zeroentry-console";

const EMPTY = { open: false, shadow: false, severity: null, handling: null, disposition: null, room_id: "", owner: "", rule: "", first_day: "", last_day: "" };

export default {
  mixins: [Ticking],
  components: { ZeSign: Sign },
  props: { t: Object, tab: String, rows: Array, rules: Array, options: Object, wanted: Object, loading: Boolean, failed: Boolean, older: Boolean, first: Boolean },
  emits: ["search", "older", "newest", "tab"],
  data: () => ({ form: { ...EMPTY } }),
  created() {
    this.form = { ...EMPTY, ...(this.wanted || {}) };
  },
  methods: {
    search() {
      this.$emit("search", { ...this.form, owner: this.form.owner.trim(), rule: this.form.rule.trim() });
    },
    clear() {
      this.form = { ...EMPTY };
      this.search();
    },
    late(row) {
      return row.due_ms && this.now_ms > row.due_ms;
    },
  },
  template: `
    <section class="ze-list" data-testid="alerts-page">
      <header class="ze-list-head"><div><h1>{{ t['alerts.title'] }}</h1><p class="ze-faint">{{ tab === 'rules' ? t['rules.lead'] : t['alerts.lead'] }}</p></div>
        <div class="ze-tabs" role="group"><button :aria-pressed="tab === 'list' ? 'true' : 'false'" :class="{ 'is-on': tab === 'list' }" data-testid="tab-list" @click="$emit('tab', 'list')">{{ t['alerts.list'] }}</button>
          <button :aria-pressed="tab === 'rules' ? 'true' : 'false'" :class="{ 'is-on': tab === 'rules' }" data-testid="tab-rules" @click="$emit('tab', 'rules')">{{ t['alerts.rules'] }}</button></div></header>
      <template v-if="tab === 'list'">
        <form class="ze-filters" @submit.prevent="search" data-testid="alerts-filters">
          <label class="ze-field">{{ t['alerts.room'] }}<select v-model="form.room_id" data-testid="filter-room"><option value="">{{ t['alerts.all'] }}</option><option v-for="o in options.rooms" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
          <label class="ze-field">{{ t['alerts.severity'] }}<select v-model="form.severity" data-testid="filter-severity"><option :value="null">{{ t['alerts.all'] }}</option><option v-for="o in options.severity" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
          <label class="ze-field">{{ t['alerts.side'] }}<select v-model="form.handling" data-testid="filter-handling"><option :value="null">{{ t['alerts.all'] }}</option><option v-for="o in options.handling" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
          <label class="ze-field">{{ t['handling.disposition'] }}<select v-model="form.disposition"><option :value="null">{{ t['alerts.all'] }}</option><option v-for="o in options.disposition" :key="o.id" :value="o.id">{{ o.label }}</option></select></label>
          <label class="ze-field">{{ t['alerts.owner'] }}<input v-model="form.owner" maxlength="64"></label>
          <label class="ze-field">{{ t['alerts.rule'] }}<input v-model="form.rule" maxlength="80" :placeholder="t['alerts.rule_hint']"></label>
          <label class="ze-field">{{ t['alerts.from'] }}<input v-model="form.first_day" type="date" min="2020-01-01" max="2099-12-31" data-testid="filter-from"></label>
          <label class="ze-field">{{ t['alerts.until'] }}<input v-model="form.last_day" type="date" min="2020-01-01" max="2099-12-31"></label>
          <div class="ze-filters-do"><label><input type="checkbox" v-model="form.open" data-testid="filter-open"> {{ t['alerts.open_only'] }}</label><label><input type="checkbox" v-model="form.shadow"> {{ t['alerts.shadow'] }}</label>
            <button class="ze-button is-small is-quiet" type="button" @click="clear" data-testid="filter-clear">{{ t['alerts.clear'] }}</button><button class="ze-button is-small is-main" type="submit" data-testid="filter-apply"><ze-sign name="search"/>{{ t['alerts.apply'] }}</button></div>
        </form>
        <p v-if="loading" class="ze-empty" data-testid="alerts-loading"><span class="ze-spin"></span>{{ t['alerts.loading'] }}</p>
        <div v-else-if="failed" class="ze-empty" role="alert"><ze-sign name="warning"/><b>{{ t['alerts.failed'] }}</b><button class="ze-button is-small" @click="search">{{ t['alerts.retry'] }}</button></div>
        <div v-else-if="!rows.length" class="ze-empty" data-testid="alerts-empty"><ze-sign name="check"/><b>{{ t['alerts.empty'] }}</b><span>{{ t['alerts.empty_text'] }}</span></div>
        <div v-else class="ze-table-wrap"><table class="ze-table is-cards" data-testid="alerts-table">
          <thead><tr><th>{{ t['alerts.number'] }}</th><th>{{ t['alerts.severity'] }}</th><th>{{ t['alerts.what'] }}</th><th>{{ t['alerts.room'] }}</th><th>{{ t['alerts.time'] }}</th><th>{{ t['alerts.side'] }}</th><th>{{ t['alerts.owner'] }}</th></tr></thead>
          <tbody><tr v-for="r in rows" :key="r.id" :data-testid="'row-' + r.id" :class="{ 'is-open': r.open }">
            <td class="ze-number">#{{ r.number }}</td>
            <td><span class="ze-severity" :class="'is-' + r.severity"><ze-sign :name="r.severity"/>{{ r.severity_label }}</span></td>
            <td class="is-wide"><a :href="r.href" :data-testid="'open-' + r.id">{{ r.title }}</a> <small class="ze-faint">{{ r.active ? t['alerts.lasting'] : t['alerts.over'] }}</small></td>
            <td>{{ r.room }}</td><td class="ze-number">{{ r.at }}</td>
            <td><span class="ze-chip" :class="{ 'is-warning': r.handling === 'new' }">{{ r.handling_label }}</span> <span v-if="r.disposition" class="ze-chip">{{ r.disposition }}</span>
              <span v-if="r.urged" class="ze-chip is-warning"><ze-sign name="bell"/>{{ t['handling.do_urge'] }}</span><span v-else-if="late(r)" class="ze-chip is-warning"><ze-sign name="clock"/>{{ t['handling.late'] }}</span></td>
            <td>{{ r.owner || '–' }}</td></tr></tbody></table></div>
        <footer class="ze-pages"><button v-if="!first" class="ze-button is-small" data-testid="page-newest" @click="$emit('newest')">{{ t['alerts.newest'] }}</button><button v-if="older" class="ze-button is-small" data-testid="page-older" @click="$emit('older')">{{ t['alerts.more'] }}</button></footer>
      </template>
      <template v-else>
        <p v-if="loading" class="ze-empty"><span class="ze-spin"></span>{{ t['alerts.loading'] }}</p>
        <div v-else-if="failed" class="ze-empty" role="alert"><ze-sign name="warning"/><b>{{ t['alerts.failed'] }}</b><button class="ze-button is-small" @click="$emit('tab', 'rules')">{{ t['alerts.retry'] }}</button></div>
        <div v-else-if="!rules.length" class="ze-empty"><ze-sign name="chart"/><b>{{ t['rules.empty'] }}</b></div>
        <div v-else class="ze-table-wrap"><table class="ze-table is-cards" data-testid="rules-table">
          <thead><tr><th>{{ t['rules.rule'] }}</th><th>{{ t['rules.told'] }}</th><th>{{ t['rules.shadowed'] }}</th><th>{{ t['rules.judged'] }}</th><th>{{ t['rules.false'] }}</th><th>{{ t['rules.share'] }}</th><th>{{ t['rules.proposal'] }}</th></tr></thead>
          <tbody><tr v-for="r in rules" :key="r.rule" :data-testid="'rule-' + r.rule"><td class="is-wide"><b>{{ r.title }}</b> <small class="ze-faint">{{ r.rule }}</small></td>
            <td class="ze-number" :data-label="t['rules.told']">{{ r.told }}</td><td class="ze-number" :data-label="t['rules.shadowed']">{{ r.shadowed }}</td><td class="ze-number" :data-label="t['rules.judged']">{{ r.judged }}</td><td class="ze-number" :data-label="t['rules.false']">{{ r.false }}</td><td class="ze-number" :data-label="t['rules.share']">{{ r.share || '–' }}</td>
            <td class="is-wide"><template v-if="r.proposal"><span class="ze-chip is-warning">{{ r.proposal }}</span><small class="ze-rule-why">{{ r.why }} <b>{{ t['rules.how'] }}:</b> {{ t['rules.how_text'] }}</small></template><small v-else class="ze-faint">{{ t['rules.no_proposal'] }}</small></td></tr></tbody></table></div>
      </template>
    </section>`,
};
