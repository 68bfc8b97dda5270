-- Which group a relation is to, as its source names it: membership of a group of customers is a relation on the group's channel.
alter table customers.connections add column group_id text;

create or replace view customers.published_connections as
  select person_id, connection_id, identity_id, source, channel, begun_at, ended_at, staff, group_id from customers.connections;
