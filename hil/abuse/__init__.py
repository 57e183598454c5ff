"""Abuse of every sink at once, on real servers, under load: `wattline hil sinks`.

load      terminals that publish windows all the time, and what was true of each
sink      what a sink of the campaign is: a server that can be killed, stopped, slowed and put back, and what it holds
hj212, brokers, tables: the sinks by kind
verdict   what is lost, doubled and invented in a sink. Pure
blame     whose fault a failure is: the product's, the bench's, a cable's
plan      whom what befalls, drawn from a seed. Pure
campaign  all of it at work; report: what is written of it
"""
