// The model config of a Keras file: parsed into networks and lowered, without weights. The input is the config's text.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "format/keras/lower.h"
#include "format/keras/network.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const assay::keras::Json model = assay::keras::Json::parse(data, data + size, nullptr, false);
  if (!model.is_object()) return 0;
  try {
    assay::keras::Source source;
    source.keras_version = "2.8.0";
    source.network = assay::keras::ParseNetwork(model);
    assay::keras::Lower(source, "config", {.batch = 1, .input_shapes = {}});
  } catch (const assay::Error& error) {
    if (error.code() != assay::ErrorCode::kInput) std::abort();
  } catch (const assay::keras::Json::exception&) {
    // ReadSource gives these a place and a message.
  }
  return 0;
}
