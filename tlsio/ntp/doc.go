// Package ntp is ECMA-419's NTP client (section 19): it asks time servers what time
// it is and calls back in a [tlsio.App]'s loop. It sets no clock.
//
// The protocol is package net/sntp's, with its checks on answers. They are not
// authenticated: who controls the network controls the answer.
package ntp
