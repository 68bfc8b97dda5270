-- What kind of item a line is about, as its source says: segments ask for it.
alter table commerce.order_lines add column category text;
alter table commerce.refund_lines add column category text;

create or replace view commerce.published_order_lines as
  select person_id, order_id, line_no, item, quantity, amount_minor, category from commerce.order_lines;
