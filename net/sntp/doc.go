// Package sntp sets a clock after time servers (SNTP, RFC 4330 and RFC 5905 §14).
//
// [Run] asks one server after the other until one gives a plausible answer, sets
// the clock if it is wrong, and asks again from time to time. It opens
// connections and sets the clock by the functions it is given, so it works on
// any network and any clock.
//
// The answers are not authenticated: who controls the network controls the
// clock, within one limit, that it is never set before [Config.Floor], the time
// of the build. Where certificates must not be accepted after their end, a
// protected clock is needed.
package sntp
