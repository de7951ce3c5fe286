#include "convert/load_model.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "convert/convert.h"
#include "format/keras/source.h"
#include "format/savedmodel/source.h"
#include "format/tflite/reader.h"

namespace assay::convert {

FileKind KindOf(const std::string& path) {
  // A pipe would keep the reader waiting; the reader of .tflite says what is wrong with such a path.
  std::error_code error;
  if (savedmodel::IsSavedModelFolder(path)) return FileKind::kTensorFlow;
  if (!std::filesystem::is_regular_file(path, error)) return FileKind::kTflite;
  std::array<char, 8> first = {};
  std::ifstream file(path, std::ios::binary);
  file.read(first.data(), first.size());
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(first.data()),
                                       static_cast<size_t>(file.gcount()));
  if (keras::IsHdf5(bytes)) return FileKind::kKeras;
  if (savedmodel::IsGraphFile(bytes)) return FileKind::kTensorFlow;
  const bool is_zip = bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == 3 && bytes[3] == 4;
  return is_zip && keras::IsKerasArchive(path) ? FileKind::kKeras : FileKind::kTflite;
}

std::shared_ptr<const graph::Model> LoadModel(const std::string& path) {
  if (KindOf(path) == FileKind::kTflite) return tflite::ReadModel(path);
  ConvertRequest request;
  request.source = path;
  return std::make_shared<const graph::Model>(Convert(request).model);
}

}  // namespace assay::convert
