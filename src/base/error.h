// The one error type of the library: a code and a chain of context, outermost first:
// "model.tflite: op 17 CONV_2D: filter scale is 0".
#pragma once

#include <fmt/core.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace assay {

// The values are the exit codes of the program.
enum class ErrorCode { kUsage = 2, kInput = 3, kInternal = 4, kInterrupted = 130 };

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // The same error, one context further out: "context: message".
  Error WithContext(std::string_view context) const { return Error(code_, std::string(context) + ": " + message_); }

 private:
  ErrorCode code_;
  std::string message_;
};

// What came from a file or a caller is wrong (exit code 3).
template <typename... Args>
Error InputError(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorCode::kInput, fmt::format(format, std::forward<Args>(args)...));
}

// The request itself is wrong: an unknown flag, step, profile or scheme (exit code 2).
template <typename... Args>
Error UsageError(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorCode::kUsage, fmt::format(format, std::forward<Args>(args)...));
}

// Runs `body`; an error that it throws gets the place that `place()` names, put together only then.
template <typename Place, typename Body>
decltype(auto) InContext(const Place& place, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw error.WithContext(place());
  }
}

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

// The known name closest to what was typed, as " (did you mean 'x'?)", or "" where nothing is near.
std::string NearestHint(std::string_view typed, const std::string_view* known, size_t count);

}  // namespace assay

// Our own invariants only; what a user can get wrong throws an Error instead.
#define ASSAY_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::assay::CheckFailed(#condition, __FILE__, __LINE__))
