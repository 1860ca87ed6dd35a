import { Sign } from "zeroentry-console";

const ROBOT_STEP_MS = 320;

export default {
  components: { ZeSign: Sign },
  props: { t: Object, plan: Object, robots: Array },
  data: () => ({ live: [], turned: {}, chosen: null, as_list: false }),
  created() {
    this.drive(this.robots || []);
  },
  watch: {
    robots() {
      this.drive(this.robots);
    },
  },
  computed: {
    // A floor stays until somebody chooses another: robots in a lift must not turn the page over.
    first() {
      const moving = this.live.filter((robot) => robot.floor && !["idle", "offline"].includes(robot.state));
      return (moving[0] || this.live.find((robot) => robot.floor) || {}).floor;
    },
    floors() {
      return (this.plan && this.plan.floors) || [];
    },
    floor() {
      return this.floors.find((one) => one.id === this.chosen) || this.floors[0] || null;
    },
    here() {
      return this.live.filter((robot) => robot.x !== null && this.floor && robot.floor === this.floor.id);
    },
  },
  methods: {
    // Called by the server some times a second; the way between two positions is drawn by the browser.
    drive(robots) {
      for (const robot of robots) {
        const before = this.turned[robot.id] ?? robot.heading;
        const by = ((robot.heading - before + 540) % 360) - 180;
        this.turned[robot.id] = before + by;
      }
      this.live = robots;
      if (this.chosen === null && this.first) this.chosen = this.first;
    },
    place(robot) {
      return { transform: `translate(${robot.x}px, ${robot.y}px)`, transition: `transform ${ROBOT_STEP_MS}ms linear` };
    },
    turn(robot) {
      return { transform: `rotate(${this.turned[robot.id]}deg)`, transition: `transform ${ROBOT_STEP_MS}ms linear` };
    },
    way(robot) {
      return (this.floor && robot.ways[this.floor.id]) || { base: "", horizon: "" };
    },
    where(robot) {
      const at = this.floors.find((one) => one.id === robot.floor);
      return !at ? this.t["map.nowhere"] : this.floors.length > 1 ? at.name : "";
    },
    on_floor(id) {
      return this.live.filter((robot) => robot.floor === id).length;
    },
    wrong_on(id) {
      return this.live.some((robot) => robot.floor === id && (robot.doubt || robot.errors.length || ["error", "held", "offline"].includes(robot.state)));
    },
    zone_sign: (state) => ({ clear: "check", occupied: "person", unseen: "eye_off" })[state] || "unlock",
    robot_sign: (state) => ({ held: "pause", paused: "pause", error: "warning", offline: "link_off", driving: "robot" })[state] || "robot",
    facility_sign: (state) => ({ stuck: "warning", offline: "link_off", open: "unlock", resting: "check" })[state] || "clock",
  },
  template: `
    <section class="ze-panel ze-floor" :aria-label="t['map.heading']" data-testid="floor">
      <header class="ze-panel-head"><h2>{{ t['map.heading'] }}</h2><span class="ze-stale-mark">{{ t['state.stale'] }}</span>
        <span v-if="floors.length > 1" class="ze-floors" role="tablist" :aria-label="t['map.floor']"><button v-for="one in floors" :key="one.id" role="tab" :aria-selected="String(floor && one.id === floor.id)" :data-testid="'floor-' + one.id" @click="chosen = one.id">{{ one.name }}<small v-if="on_floor(one.id)"><ze-sign name="robot"/>{{ on_floor(one.id) }}</small><small v-if="wrong_on(one.id)" class="is-wrong" :title="t['map.look_here']"><ze-sign name="warning"/><span class="ze-only-read">{{ t['map.look_here'] }}</span></small></button></span>
        <button class="ze-button is-small" :aria-pressed="String(as_list)" data-testid="floor-list" @click="as_list = !as_list"><ze-sign :name="as_list ? 'grid' : 'menu'"/>{{ t[as_list ? 'map.picture' : 'map.list'] }}</button>
        <ul v-if="!as_list" class="ze-legend"><li><i class="is-base"></i>{{ t['map.base'] }}</li><li><i class="is-horizon"></i>{{ t['map.horizon'] }}</li><li v-if="floor && floor.ways.some((one) => one.lane)"><i class="is-lane"></i>{{ t['map.one_lane'] }}</li>
          <li class="is-clear"><ze-sign name="check"/>{{ t['map.clear'] }}</li><li class="is-occupied"><ze-sign name="person"/>{{ t['map.occupied'] }}</li><li class="is-unseen"><ze-sign name="eye_off"/>{{ t['map.unseen'] }}</li></ul></header>
      <p v-if="plan && plan.fire" class="ze-banner is-problem" role="alert" data-testid="map-fire"><ze-sign name="alarm"/>{{ t['map.fire'] }}</p>
      <p v-if="!floor" class="ze-empty"><ze-sign name="robot"/>{{ t['map.empty'] }}</p>
      <div v-else-if="as_list" class="ze-floor-list" data-testid="floor-as-list">
        <h3>{{ t['map.robots'] }}</h3><ul><li v-for="robot in live" :key="robot.id" :class="'is-' + robot.state"><ze-sign :name="robot_sign(robot.state)"/><b>{{ robot.name }}</b><span>{{ robot.state_label }}<template v-if="where(robot)"> · {{ where(robot) }}</template><template v-if="robot.battery !== null"> · {{ robot.battery }}%</template><template v-if="robot.held_for"> · {{ t['map.held_for'] }} {{ robot.held_for }}</template><template v-if="robot.by_person"> · {{ robot.by_person }}</template><template v-if="robot.doubt"> · {{ robot.doubt }}</template></span></li></ul>
        <h3>{{ t['map.zones'] }}</h3><ul><template v-for="one in floors" :key="one.id"><li v-for="zone in one.zones" :key="one.id + zone.id" :class="'is-' + zone.state"><ze-sign :name="zone_sign(zone.state)"/><b>{{ zone.name }}</b><span>{{ zone.label }}<template v-if="floors.length > 1"> · {{ one.name }}</template></span></li></template></ul>
        <template v-if="plan.facilities.length"><h3>{{ t['map.facilities'] }}</h3><ul><li v-for="one in plan.facilities" :key="one.id" :class="'is-' + one.state" :data-testid="'facility-' + one.id"><ze-sign :name="facility_sign(one.state)"/><b>{{ one.name }}</b><span>{{ one.state_label }} · {{ one.why }}</span></li></ul></template>
      </div>
      <div v-else class="ze-floor-body"><div class="ze-floor-scroll">
      <svg class="ze-map" :viewBox="'0 0 ' + floor.width + ' ' + floor.height" role="img" :aria-label="t['map.heading'] + ' ' + floor.name">
        <defs>
          <pattern id="ze-hatch-occupied" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="9" height="9" class="hatch-ground-occupied"/><rect width="4" height="9" class="hatch-occupied"/></pattern>
          <pattern id="ze-hatch-unseen" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect width="7" height="7" class="hatch-ground-unseen"/><rect width="1.5" height="7" class="hatch-unseen"/></pattern>
        </defs>
        <g v-for="zone in floor.zones" :key="zone.id" class="ze-zone" :class="'is-' + zone.state" :data-testid="'zone-' + zone.id" :data-state="zone.state">
          <line v-for="(way, n) in zone.ways" :key="'w' + n" v-bind="way"/>
          <circle v-for="(spot, n) in zone.spots" :key="'s' + n" :cx="spot.x" :cy="spot.y" r="27"/>
        </g>
        <line v-for="(way, n) in floor.ways" :key="n" class="ze-way" :class="{ 'is-lane': way.lane }" :x1="way.x1" :y1="way.y1" :x2="way.x2" :y2="way.y2"><title v-if="way.lane">{{ t['map.one_lane'] }}</title></line>
        <circle v-for="(spot, n) in floor.refuges" :key="'f' + n" class="ze-refuge" :cx="spot.x" :cy="spot.y" r="12"><title>{{ t['map.refuge'] }}</title></circle>
        <g v-for="place in floor.places" :key="place.kind + place.name" class="ze-place" :transform="'translate(' + place.x + ' ' + place.y + ')'">
          <rect x="-9" y="-9" width="18" height="18" rx="4"/><path v-if="place.kind === 'door'" d="M-3.5 5v-10h7v10"/><path v-else d="M-4 -5v3.5a2 2 0 0 0 4 0V-5M-2 -5V5.5M4 -5.5V5.5"/></g>
        <g v-for="lift in floor.lifts" :key="'e' + lift.id" class="ze-lift" :class="['is-' + lift.state, { 'is-here': lift.here }]" :transform="'translate(' + lift.x + ' ' + lift.y + ')'" :data-testid="'lift-' + lift.id"><title>{{ lift.name }}: {{ lift.state_label }}</title><rect x="-21" y="-21" width="42" height="42" rx="4"/><path d="M-6 -3 L0 -10 L6 -3M-6 3 L0 10 L6 3"/><text :x="lift.label_x" y="38" text-anchor="middle">{{ lift.name }} · {{ lift.state_label }}</text></g>
        <g v-for="(door, n) in floor.doors" :key="'d' + n + door.id" class="ze-leaf" :class="'is-' + door.state" :transform="'translate(' + door.x + ' ' + door.y + ')'" :data-testid="'door-' + door.id"><title>{{ door.name }}: {{ door.state_label }}</title><g :transform="'rotate(' + door.turn + ')'"><path v-if="door.state === 'open'" d="M0 -14v5M0 9v5M0 -9h9M0 9h9"/><path v-else d="M0 -14v28"/></g><text y="-20" text-anchor="middle">{{ door.state_label }}</text></g>
        <g v-for="zone in floor.zones" :key="'l' + zone.id" class="ze-zone-label" :class="'is-' + zone.state" :transform="'translate(' + zone.x + ' ' + zone.y + ')'">
          <text text-anchor="middle"><tspan class="name">{{ zone.name }}</tspan><tspan class="state" dx="6">{{ zone.label }}</tspan></text></g>
        <g v-for="robot in live" :key="'r' + robot.id" class="ze-route"><polyline v-if="way(robot).horizon" class="is-horizon" :points="way(robot).horizon"/><polyline v-if="way(robot).base" class="is-base" :points="way(robot).base"/></g>
        <g v-for="robot in here" :key="robot.id" class="ze-robot" :class="['is-' + robot.state, { 'is-doubted': robot.doubt }]" :style="place(robot)" :data-testid="'robot-' + robot.id" :data-state="robot.state">
          <title>{{ robot.name }}: {{ robot.state_label }}</title><circle class="halo" r="19"/>
          <g :style="turn(robot)"><rect x="-13" y="-11" width="26" height="22" rx="6"/><path d="M6 -5 L11.5 0 L6 5z"/></g><text class="mark" x="-2" y="4.5" text-anchor="middle">{{ robot.mark }}</text>
          <g v-if="robot.doubt || robot.state === 'error' || robot.state === 'offline'" class="ze-doubted" transform="translate(-13 -15)"><circle r="8"/><path d="M0 -4v4.5M0 3.4v.6"/></g>
          <g v-if="robot.held || robot.by_person" class="ze-held" transform="translate(13 -15)"><circle r="8"/><path d="M-2.5 -3.5v7M2.5 -3.5v7"/></g>
        </g>
      </svg></div>
      <ul class="ze-robots"><li v-for="robot in live" :key="robot.id" :class="'is-' + robot.state" :data-testid="'robot-line-' + robot.id">
        <ze-sign :name="robot.doubt ? 'warning' : robot_sign(robot.state)"/><b>{{ robot.name }}</b><span>{{ robot.state_label }}<template v-if="where(robot)"> · {{ where(robot) }}</template><template v-if="robot.held && robot.held_for"> · {{ t['map.held_for'] }} {{ robot.held_for }}</template><template v-if="robot.by_person"> · {{ robot.by_person }}</template></span>
        <span v-if="robot.battery !== null" class="ze-battery" :class="{ 'is-low': robot.battery < 20 }" :title="t['robot.battery']"><i><em :style="{ width: robot.battery + '%' }"></em></i>{{ robot.battery }}%</span>
        <span v-if="robot.doubt" class="ze-robot-error">{{ robot.doubt }}</span>
        <span v-for="error in robot.errors" :key="error" class="ze-robot-error">{{ error }}</span></li></ul></div>
    </section>`,
};
