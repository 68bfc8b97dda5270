/** A wine club (醇时 Chunshi): who its people are and how they live is told here; what follows is the product's to find. */

export const WINES = [
  { item: 'W-101', name: '贺兰山东麓 赤霞珠 2021', category: '国产葡萄酒', price: 168 },
  { item: 'W-102', name: '怀来 马瑟兰 2022', category: '国产葡萄酒', price: 138 },
  { item: 'W-103', name: '蓬莱 霞多丽 2023', category: '国产葡萄酒', price: 118 },
  { item: 'W-201', name: '勃艮第 村级 黑皮诺 2020', category: '进口葡萄酒', price: 298 },
  { item: 'W-202', name: '波尔多 上梅多克 2018', category: '进口葡萄酒', price: 258 },
  { item: 'W-203', name: '香槟 特级干型', category: '进口葡萄酒', price: 368 },
  { item: 'W-301', name: '摩泽尔 雷司令 珍藏', category: '进口葡萄酒', price: 188 },
  { item: 'W-302', name: '普里奥拉托 老藤 2019', category: '进口葡萄酒', price: 328 },
  { item: 'S-001', name: '月度品鉴箱(三支)', category: '品鉴', price: 399 },
  { item: 'G-001', name: '节日礼盒(双支)', category: '礼盒', price: 498 },
  { item: 'L-001', name: '直播福袋(两支)', category: '福袋', price: 99 },
  { item: 'S-002', name: '当月尝鲜小样(50毫升)', category: '品鉴', price: 19 },
] as const
export type Item = (typeof WINES)[number]['item']

/** What became cheaper at the price cut, and by how much. */
export const CUT = { item: 'W-203', by: 70 } as const

export interface Adviser {
  readonly staff: string
  /** Share of the people who come by a channel with advisers. */
  readonly share: number
  /** Left in spring: since then nobody writes to these people. */
  readonly hasLeft?: boolean
}

export const ADVISERS: readonly Adviser[] = [
  { staff: 'lin.yue', share: 0.16 },
  { staff: 'zhou.qi', share: 0.09, hasLeft: true },
  { staff: 'chen.an', share: 0.12 },
  { staff: 'wu.xiaoman', share: 0.1 },
  { staff: 'gao.ming', share: 0.09 },
  { staff: 'he.jing', share: 0.08 },
  { staff: 'xu.bei', share: 0.08 },
  { staff: 'tang.li', share: 0.07 },
  { staff: 'sun.yi', share: 0.06 },
  { staff: 'ma.ran', share: 0.05 },
  { staff: 'luo.fan', share: 0.05 },
  { staff: 'qiao.na', share: 0.05 },
]

/** How many of a kind of interaction in a month of being there. */
export type Rhythm = Readonly<Partial<Record<InteractionKind, number>>>
export type InteractionKind =
  | 'view'
  | 'cart'
  | 'question'
  | 'coupon'
  | 'open'
  | 'click'
  | 'share'
  | 'check_in'
  | 'quiz'
  | 'like'
  | 'comment'
  | 'reply'
  | 'details_left'

export interface Story {
  readonly story: string
  /** Of a deck of 200 people, dealt again and again, so that any number of people has all stories. */
  readonly cards: number
  /** How they came. Nobody is connected by '': known, and out of reach. */
  readonly channels: readonly string[]
  readonly joins: 'steadily' | 'first' | 'livestream' | 'lately' | 'long ago'
  /** Where they buy; absent: nowhere. */
  readonly shop?: 'shop' | 'marketplace'
  /** Mean days between orders; absent: only on the days named beside it. */
  readonly everyDays?: number
  /** Chance to stop after each order. */
  readonly stops?: number
  readonly items: readonly Item[]
  /** Chance of a gift before each Mid-Autumn and Spring Festival. */
  readonly festivals?: number
  /** Chance of an order on each 618 and Double 11. */
  readonly sales?: number
  /** Chance to be enrolled, and that it is the card that runs out after a year. */
  readonly enrols: number
  readonly yearCard?: number
  /** Chance that they leave, some day. */
  readonly leaves: number
  /** Chance of a review for each order, and that it is a good one. */
  readonly reviews?: number
  readonly praises?: number
  readonly rhythm: Rhythm
  /** Chance that an order came by a share of somebody of the tasting club. */
  readonly shared?: number
}

const DAILY: readonly Item[] = ['W-101', 'W-102', 'W-103', 'W-301']
const FINE: readonly Item[] = ['W-201', 'W-202', 'W-203', 'W-302']

export const STORIES: readonly Story[] = [
  {
    story: 'monthly box',
    cards: 12,
    channels: ['store', 'referral', 'official_account'],
    joins: 'steadily',
    shop: 'shop',
    everyDays: 30,
    stops: 0.04,
    items: ['S-001'],
    sales: 0.2,
    enrols: 0.9,
    yearCard: 0.5,
    leaves: 0.04,
    reviews: 0.04,
    praises: 0.85,
    rhythm: { open: 0.3, click: 0.2, check_in: 0.25, view: 0.15, like: 0.08, reply: 0.04 },
    shared: 0.05,
  },
  {
    story: 'good nose',
    cards: 14,
    channels: ['store', 'referral', 'store', 'parcel_card'],
    joins: 'steadily',
    shop: 'shop',
    everyDays: 48,
    stops: 0.06,
    items: FINE,
    sales: 0.35,
    enrols: 0.6,
    yearCard: 0.3,
    leaves: 0.05,
    reviews: 0.05,
    praises: 0.75,
    rhythm: { open: 0.2, click: 0.15, view: 0.3, question: 0.1, comment: 0.08, cart: 0.1, quiz: 0.03 },
    shared: 0.08,
  },
  {
    story: 'weekend bottle',
    cards: 26,
    channels: ['parcel_card', 'store', 'referral', 'official_account'],
    joins: 'steadily',
    shop: 'shop',
    everyDays: 75,
    stops: 0.15,
    items: DAILY,
    sales: 0.25,
    enrols: 0.3,
    leaves: 0.08,
    reviews: 0.03,
    praises: 0.7,
    rhythm: { open: 0.12, click: 0.06, view: 0.15, like: 0.05, coupon: 0.05 },
    shared: 0.08,
  },
  // A sample every six weeks and never a bottle; and half of their friends. Who sorts by revenue never sees them.
  {
    story: 'tells everybody',
    cards: 2,
    channels: ['store'],
    joins: 'first',
    shop: 'shop',
    everyDays: 45,
    stops: 0,
    items: ['S-002'],
    enrols: 1,
    leaves: 0,
    rhythm: { open: 0.4, click: 0.3, share: 0.1, comment: 0.2, like: 0.2, reply: 0.1, view: 0.1 },
  },
  {
    story: 'festival gifts',
    cards: 18,
    channels: ['store', 'parcel_card', 'referral'],
    joins: 'steadily',
    shop: 'shop',
    items: ['G-001', 'G-001', 'W-203'],
    festivals: 0.7,
    enrols: 0.2,
    leaves: 0.06,
    reviews: 0.04,
    praises: 0.8,
    rhythm: { open: 0.1, click: 0.05 },
  },
  {
    story: 'sale days only',
    cards: 4,
    channels: ['official_account', 'parcel_card'],
    joins: 'steadily',
    shop: 'shop',
    items: DAILY,
    sales: 0.8,
    enrols: 0.1,
    leaves: 0.05,
    rhythm: { coupon: 0.5, cart: 0.4, view: 0.6, click: 0.3 },
  },
  {
    story: 'tasting club',
    cards: 4,
    channels: ['store', 'referral'],
    joins: 'first',
    shop: 'shop',
    everyDays: 35,
    stops: 0.005,
    items: [...FINE, 'S-001'],
    sales: 0.4,
    enrols: 1,
    leaves: 0.01,
    reviews: 0.4,
    praises: 0.9,
    rhythm: {
      open: 0.4,
      click: 0.4,
      share: 0.5,
      check_in: 0.6,
      comment: 0.3,
      like: 0.3,
      quiz: 0.1,
      reply: 0.2,
      question: 0.1,
    },
  },
  {
    story: 'livestream night',
    cards: 9,
    channels: ['livestream'],
    joins: 'livestream',
    shop: 'shop',
    items: ['L-001'],
    enrols: 0.02,
    leaves: 0.22,
    reviews: 0.05,
    praises: 0.5,
    rhythm: { open: 0.1 },
  },
  {
    story: 'tried once',
    cards: 22,
    channels: ['parcel_card', 'store', 'official_account'],
    joins: 'steadily',
    shop: 'shop',
    everyDays: 200,
    stops: 0.85,
    items: ['W-101', 'W-103', 'S-001'],
    enrols: 0.15,
    leaves: 0.14,
    reviews: 0.05,
    praises: 0.5,
    rhythm: { open: 0.1, view: 0.15 },
    shared: 0.12,
  },
  {
    story: 'came back',
    cards: 5,
    channels: ['store', 'parcel_card'],
    joins: 'long ago',
    shop: 'shop',
    items: ['W-101', 'W-301', 'W-202'],
    enrols: 0.4,
    leaves: 0,
    reviews: 0.1,
    praises: 0.8,
    rhythm: {},
  },
  {
    story: 'card in the parcel',
    cards: 10,
    channels: ['parcel_card'],
    joins: 'steadily',
    shop: 'marketplace',
    everyDays: 120,
    stops: 0.4,
    items: ['W-101', 'W-103', 'G-001'],
    sales: 0.3,
    enrols: 0.2,
    leaves: 0.1,
    rhythm: { open: 0.3, click: 0.15, coupon: 0.2 },
  },
  {
    story: 'looks around',
    cards: 18,
    channels: ['official_account', 'referral', 'livestream'],
    joins: 'lately',
    items: [],
    enrols: 0,
    leaves: 0.1,
    rhythm: { view: 0.8, click: 0.5, open: 0.2, cart: 0.2, share: 0.25, quiz: 0.15, check_in: 0.2, question: 0.1 },
  },
  {
    story: 'quiet follower',
    cards: 22,
    channels: ['livestream', 'official_account', 'parcel_card', 'store'],
    joins: 'steadily',
    items: [],
    enrols: 0,
    leaves: 0.2,
    rhythm: { open: 0.06 },
  },
  {
    story: 'member without an order',
    cards: 14,
    channels: ['store', 'referral'],
    joins: 'steadily',
    items: [],
    enrols: 1,
    yearCard: 0.6,
    leaves: 0.08,
    rhythm: { open: 0.2, click: 0.08, coupon: 0.08, view: 0.15 },
  },
  {
    story: 'marketplace only',
    cards: 14,
    channels: [''],
    joins: 'steadily',
    shop: 'marketplace',
    everyDays: 160,
    stops: 0.6,
    items: ['W-101', 'W-103', 'G-001'],
    sales: 0.15,
    enrols: 0,
    leaves: 0,
    rhythm: {},
  },
  {
    story: 'lead',
    cards: 6,
    channels: [''],
    joins: 'lately',
    items: [],
    enrols: 0,
    leaves: 0,
    rhythm: {},
  },
]

const SURNAMES = [...'王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余']
const GIVEN = [...'伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰文建红梅海燕鹏辉玲雪晨琳浩宇欣怡子轩雨涵思']

/** A name as shops have it. */
export function nameOf(pick: <T>(list: readonly T[]) => T, isLong: boolean): string {
  return `${pick(SURNAMES)}${pick(GIVEN)}${isLong ? pick(GIVEN) : ''}`
}
