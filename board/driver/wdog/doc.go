// Package wdog drives the watchdog of NXP's i.MX processors from user mode: the
// one that resets the board when nobody says for a while that all is well.
//
// Reference: i.MX 6UltraLite Applications Processor Reference Manual
// (IMX6ULRM), chapter "Watchdog Timer (WDOG)".
//
//	dog, err := wdog.Open("wdog1")
//	if err != nil {
//		return err
//	}
//	if err := dog.Start(30 * time.Second); err != nil {
//		return err
//	}
//	go dog.Guard(ctx, wdog.GuardOptions{Check: healthy})
//
// A watchdog that a timer services guards nothing: the timer goes on while the
// program is stuck. So [Watchdog.Guard] asks a function whether the program
// works, and services the watchdog only when it says so in time.
//
// Once started, the watchdog can't be stopped: that is what it is for. When the
// program ends, or Guard does, it resets the board.
//
// Apart from that, there is the power-down counter, which runs from reset and
// cuts the board's power after 16 seconds, on boards that are wired for it. Open
// and New stop it.
package wdog
