-- Where fan tiers begin, and the thresholds of RFM where a brand has set its own, as settings (docs/definitions.md §1.8, §2.2).

alter table brand.settings
  -- Interaction scores from which 关注, 活跃 and 铁粉 hold.
  add column fan_tier_scores float8[] not null default '{5,20,60}' check (cardinality(fan_tier_scores) = 3
    and 0 < fan_tier_scores[1] and fan_tier_scores[1] < fan_tier_scores[2] and fan_tier_scores[2] < fan_tier_scores[3]),
  -- Null: at 20, 40, 60 and 80 % of the buyers.
  add column rfm_recency_days int[] check (cardinality(rfm_recency_days) = 4 and 0 <= rfm_recency_days[1]
    and rfm_recency_days[1] < rfm_recency_days[2] and rfm_recency_days[2] < rfm_recency_days[3]
    and rfm_recency_days[3] < rfm_recency_days[4]),
  add column rfm_frequency int[] check (cardinality(rfm_frequency) = 4 and 1 <= rfm_frequency[1]
    and rfm_frequency[1] < rfm_frequency[2] and rfm_frequency[2] < rfm_frequency[3] and rfm_frequency[3] < rfm_frequency[4]),
  add column rfm_monetary_minor bigint[] check (cardinality(rfm_monetary_minor) = 4 and 0 <= rfm_monetary_minor[1]
    and rfm_monetary_minor[1] < rfm_monetary_minor[2] and rfm_monetary_minor[2] < rfm_monetary_minor[3]
    and rfm_monetary_minor[3] < rfm_monetary_minor[4]),
  -- Since when everybody's standing follows the last change of a setting; null: none was changed yet.
  add column followed_at timestamptz;

-- Which cuts of a table are the brand's own thresholds: of R, F, M.
alter table relationship.rfm_cuts add column fixed text[] not null default '{}';
