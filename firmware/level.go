package firmware

import (
	"errors"
	"log/slog"
	"os"
)

var errNoLevel = errors.New("not a level of the log")

// LogLevel returns the level of that name (debug, info, warn, error) for the console, or
// the one that the setting INGOT_LOG_LEVEL says in its place. The error is a
// *SettingError.
//
//	level, err := firmware.LogLevel("warn")
//	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
func LogLevel(name string) (slog.Level, error) {
	if told := os.Getenv("INGOT_LOG_LEVEL"); told != "" {
		name = told
	}
	switch name {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, &SettingError{"INGOT_LOG_LEVEL", name, errNoLevel, "give debug, info, warn or error"}
}
