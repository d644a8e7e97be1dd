package firmware

import (
	"errors"
	"log/slog"
	"testing"
)

func TestLogLevel(t *testing.T) {
	for _, tt := range []struct {
		told, compiled string
		want           slog.Level
	}{
		{"", "debug", slog.LevelDebug}, {"", "info", slog.LevelInfo}, {"", "warn", slog.LevelWarn}, {"", "error", slog.LevelError},
		{"debug", "error", slog.LevelDebug},
	} {
		t.Setenv("INGOT_LOG_LEVEL", tt.told)
		if got, err := LogLevel(tt.compiled); got != tt.want || err != nil {
			t.Errorf("%q over %q: %v, %v", tt.told, tt.compiled, got, err)
		}
	}
	t.Setenv("INGOT_LOG_LEVEL", "loud")
	_, err := LogLevel("info")
	if bad, ok := errors.AsType[*SettingError](err); !ok || bad.Name != "INGOT_LOG_LEVEL" || bad.Value != "loud" {
		t.Errorf("%v", err)
	}
}
