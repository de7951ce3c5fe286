// Where the modules with heavy dependencies are (assay_hdf5.so, assay_protobuf.so).
#pragma once

#include <string>

namespace assay {

// The module's file: in the folder that ASSAY_MODULE_PATH names, beside the program or the library, or where an
// installation keeps it. Throws InputError, which says what it is needed for ("reading SavedModels").
std::string FindModule(const std::string& name, const std::string& purpose);

}  // namespace assay
